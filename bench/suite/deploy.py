"""What is measured from outside: start, size on disk, compile time, memory."""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from sides import SUITE, libtorch_flags, our_program, python_command, rival_file

REPOSITORY = SUITE.parents[1]


def run(command, **options):
    """Wall-clock seconds and the peak of memory in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} failed: {message.decode(errors='replace')[-500:]}")
    return seconds, usage.ru_maxrss * 1024


def once(python, build, library, workload, case, threads, steps):
    if library == "gradus":
        command = [our_program(build), workload, str(threads)]
    else:
        command = python_command(python, library, workload, threads)
    return command + ["once", case, str(steps)]


def start_times(python, build, threads, rounds):
    """From the start of the process to the end of its first step of W1, and of the process."""
    sides = [("gradus", "joint/64")] + ([("pytorch", "joint/64 loop")] if python else [])
    times = {library: [] for library, _ in sides}
    for _ in range(rounds + 1):
        for library, case in sides:
            times[library].append(run(once(python, build, library, "w1", case, threads, 1))[0])
    return {library: statistics.median(all_[1:]) for library, all_ in times.items()}  # the first fills the file cache


def memory(python, build, threads, workloads):
    """Peak of the process over a few steps of each case."""
    rows = []
    for workload, case, way, steps in workloads:
        row = {"workload": workload, "case": case,
               "gradus": run(once(python, build, "gradus", workload, case, threads, steps))[1]}
        if python and rival_file("pytorch", workload):
            row["pytorch"] = run(once(python, build, "pytorch", workload, f"{case} {way}".strip(), threads, steps))[1]
        rows.append(row)
    return rows


def shared_objects(program):
    """The libraries that the loader maps for a program, without the C and C++ runtime, which every program needs."""
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    paths = set(re.findall(r"=> (/\S+)", listed))
    system = re.compile(r"/(libc|libm|libdl|librt|libpthread|libmvec|libstdc\+\+|libgcc_s|ld-linux[^/]*)\.so")
    return sorted(path for path in paths if not system.search(path))


def size_of(path):
    """The size without debugging information, as after `cmake --install --strip` and in packages."""
    with tempfile.NamedTemporaryFile() as stripped:
        run(["strip", "--strip-unneeded", "-o", stripped.name, os.path.realpath(path)])
        return os.stat(stripped.name).st_size


PROGRAMS = {
    "gradus": ("""#include <gradus/gradus.h>
using namespace gradus;
namespace F = nn::functional;
""", "nn::Sequential", "nn::Linear", "nn::LeakyReLU", "optim::Adam optimizer(net.parameters(), {.lr = 1e-3});",
               "net.parameters()"),
    "libtorch": ("""#include <torch/torch.h>
using namespace torch;
namespace F = nn::functional;
""", "nn::Sequential", "nn::Linear", "nn::LeakyReLU",
                 "optim::Adam optimizer(net->parameters(), optim::AdamOptions(1e-3));", "net->parameters()"),
}


def program_of(library):
    """The same 30 lines for both: an autoencoder and a training loop."""
    head, sequential, linear, activation, optimizer, parameters = PROGRAMS[library]
    call = "net(x)" if library == "gradus" else "net->forward(x)"
    number = "loss.item()" if library == "gradus" else "loss.item<double>()"
    draw = "randint(0, 16, {64})" if library == "gradus" else "torch::randint(0, 16, {64}, kInt64)"
    return f"""{head}
#include <cstdio>

int main() {{
  manual_seed(1);
  {sequential} net(
      {linear}(16, 128),
      {activation}(),
      {linear}(128, 8),
      {linear}(8, 128),
      {activation}(),
      {linear}(128, 16));
  {optimizer}
  double last = 0;
  for (int step = 0; step < 100; ++step) {{
    const Tensor message = {draw};
    const Tensor x = one_hot(message, 16).to(kFloat32);
    const Tensor loss = F::cross_entropy({call}, message);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    last = {number};
  }}
  std::printf("%zu tensors, loss %.4f\\n", {parameters}.size(), last);
  return last == last ? 0 : 1;
}}
"""


def compile_and_size(python, build, rounds):
    """Seconds to compile those 30 lines, with -O2; and the bytes that the program needs on disk."""
    library = pathlib.Path(build).resolve()
    flags = {"gradus": ([f"-I{REPOSITORY}/include"], [f"-L{library}", "-lgradus", f"-Wl,-rpath,{library}"])}
    if python:
        flags["libtorch"] = libtorch_flags(python)
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in flags:
            (pathlib.Path(folder) / f"{name}.cpp").write_text(program_of(name))
        times = {name: [] for name in flags}
        for _ in range(rounds):
            for name, (compiling, _) in flags.items():
                command = ["g++", "-std=c++20", "-O2", "-c", *compiling, f"{folder}/{name}.cpp", "-o", f"{folder}/{name}.o"]
                times[name].append(run(command, env={**os.environ, "CCACHE_DISABLE": "1"})[0])
        for name, (_, linking) in flags.items():
            program = f"{folder}/{name}"
            run(["g++", f"{program}.o", "-o", program, *linking])
            run([program])
            objects = {os.path.basename(path): size_of(path) for path in shared_objects(program)}
            result[name] = {"compile_seconds": statistics.median(times[name]), "objects": objects,
                            "bytes": size_of(program) + sum(objects.values())}
    return result


def measure(python, build, threads, rounds):
    print("  start, size, compile time, memory", file=sys.stderr)
    return {"start": start_times(python, build, threads, rounds),
            "program": compile_and_size(python, build, max(1, rounds // 2)),
            "memory": memory(python, build, threads, [("w1", "joint/64", "loop", 20), ("w1", "joint/1024", "loop", 20),
                                                      ("w2", "pair/128", "loop", 5), ("w5", "Adam/161", "fused", 3),
                                                      ("w5", "Adam/1", "fused", 3),
                                                      *(("w4", f"{part}/{dtype}", "channels-last", 3)
                                                        for part in ("full", "frozen", "attention")
                                                        for dtype in ("float32", "bfloat16")),
                                                      ("w7", "lstm/384", "fused", 3), ("w7", "gru/384", "fused", 3),
                                                      ("w8", "language/256", "fused", 3), ("w8", "vit-ti/8", "fused", 3),
                                                      ("w9", "unet/96", "fused-channels-last", 3),
                                                      ("w10", "pair/32", "fused-channels-last", 3),
                                                      ("w11", "perceptron/2048", "fused", 3)])}
