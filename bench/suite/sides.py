"""The programs that bench/compare times in turn, and the packages they need."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys

SUITE = pathlib.Path(__file__).resolve().parent
REPOSITORY = SUITE.parents[1]
PACKAGES = ["torch", "numpy", "jax"]
LOG = REPOSITORY / "out" / "compare.log"  # what the sides say about errors


class Failed(Exception):
    pass


class Side:
    """One running program: a library, a workload, a number of threads."""

    def __init__(self, library, threads, command, environment=None):
        self.name, self.threads = library, threads
        with open(LOG, "a") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            text=True, env={**os.environ, **(environment or {})})

    def ask(self, *words):
        try:
            self.process.stdin.write("\t".join(map(str, words)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the {self.name} side ended while asked: {' '.join(map(str, words))}; see {LOG}")
        return json.loads(line)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def our_program(build):
    program = pathlib.Path(build) / "bench" / "gradus_workloads"
    if not program.exists():
        sys.exit(f"bench/compare: {program} is not built: cmake --preset release && cmake --build build/release")
    return str(program)


def rival_file(library, workload):
    """rivals/pytorch/w1_autoencoder.py for ("pytorch", "w1"), or None."""
    return next(iter(sorted((SUITE / "rivals" / library).glob(f"{workload}_*"))), None)


def python_command(python, library, workload, threads):
    path = rival_file(library, workload)
    return path and [python, str(SUITE / "rivals" / "serve.py"), str(path), str(threads)]


def libtorch_flags(python):
    """Compiler and linker flags of the LibTorch that is inside the Python package."""
    folder = subprocess.run([python, "-c", "import torch, os; print(os.path.dirname(torch.__file__))"],
                            capture_output=True, text=True, check=True).stdout.strip()
    includes = [f"-I{folder}/include", f"-I{folder}/include/torch/csrc/api/include"]
    return includes, [f"-L{folder}/lib", "-ltorch", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{folder}/lib"]


def libtorch_program(python, workload, build):
    source = rival_file("libtorch", workload)
    if source is None:
        return None
    program = pathlib.Path(build) / "bench" / f"libtorch_{source.stem}"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        compiling, linking = libtorch_flags(python)
        command = ["g++", "-std=c++20", "-O2", f"-I{SUITE}", *compiling, str(source), "-o", str(program),
                   *linking]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"  LibTorch's {source.name} does not compile here: {done.stderr.splitlines()[:1]}", file=sys.stderr)
            return None
    return str(program)


def has_package(python, package):
    return python is not None and subprocess.run([python, "-c", f"import {package}"], capture_output=True).returncode == 0


def python_of(venv, wanted=True):
    """The interpreter of the environment with the rivals, which is made if it does not exist. None if not wanted."""
    if not wanted:
        return None
    python = pathlib.Path(venv) / "bin" / "python"
    if not python.exists():
        print(f"making {venv} with {', '.join(PACKAGES)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        installed = subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES, "setuptools"])
        if installed.returncode != 0:
            print("  pip failed: only our own figures and the limits follow", file=sys.stderr)
            return None
    return str(python)


def sides_of(workload, python, build, thread_counts):
    """All sides of a workload, running."""
    found = []
    jax = has_package(python, "jax")
    for threads in thread_counts:
        environment = {"OMP_NUM_THREADS": str(threads)}
        found.append(Side("gradus", threads, [our_program(build), workload, str(threads)], environment))
        if python is None:
            continue
        for library in ("pytorch", "jax"):
            command = python_command(python, library, workload, threads)
            if command and (library != "jax" or jax):
                found.append(Side(library, threads, command, environment))
        program = libtorch_program(python, workload, build)
        if program:
            found.append(Side("libtorch", threads, [program, str(threads)], environment))
    return found
