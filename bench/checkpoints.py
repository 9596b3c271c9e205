#!/usr/bin/env python3
"""Checkpoint files of 1 GiB: Gradus compared with cat, dd, torch.load, torch.save and safetensors, in turn within one run.

bench/checkpoints.py [ROUNDS]    needs build/release/bench/gradus_bench; PyTorch and safetensors for their rows

Reading is from the page cache, into the parameters of a network that exists. Writing ends when the bytes are on the disk.
The files lie in $TMPDIR, or /tmp.
"""
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.environ.get("TMPDIR", "/tmp")
LAYERS, SHAPE = 64, (1024, 4096)  # as in checkpoints.cpp

try:
    import torch
    from safetensors.torch import load_file, save_file
except ImportError:
    torch = None


def path(name):
    return os.path.join(FOLDER, "gradus-bench-py" + name)


def timed(times, name, call):
    start = time.perf_counter()
    call()
    times.setdefault(name, []).append(1000 * (time.perf_counter() - start))


def gradus(times):
    """The rows of bench/checkpoints.cpp."""
    command = [ROOT + "/build/release/bench/gradus_bench", "--benchmark_filter=Checkpoint", "--benchmark_format=json"]
    output = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}).stdout
    for row in json.loads(output)["benchmarks"]:
        name = row["name"].split("/")
        times.setdefault("Gradus: " + (name[1] if name[0] in ("load", "save") else name[0]), []).append(row["real_time"])


def synced(call):
    call()
    for name in (".pth", ".safetensors"):
        if os.path.exists(path(".new" + name)):
            fd = os.open(path(".new" + name), os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    times = {}
    raw = path(".raw")
    with open(raw, "wb") as file:
        for _ in range(LAYERS):
            file.write(os.urandom(SHAPE[0] * SHAPE[1] * 4))
    if torch:
        torch.set_num_threads(1)
        state = {f"layers.{i}": torch.randn(SHAPE) for i in range(LAYERS)}
        torch.save(state, path(".pth"))
        save_file(state, path(".safetensors"))

        def into_network(loaded):
            with torch.no_grad():
                for name, tensor in loaded.items():
                    state[name].copy_(tensor)

    for _ in range(rounds):
        timed(times, "cat FILE >/dev/null", lambda: subprocess.run(f"cat {raw} > /dev/null", shell=True, check=True))
        timed(times, "dd conv=fsync", lambda: subprocess.run(
            ["dd", f"if={raw}", f"of={path('.copy')}", "bs=4M", "conv=fsync", "status=none"], check=True))
        os.remove(path(".copy"))
        gradus(times)
        if torch:
            timed(times, "torch.load", lambda: into_network(torch.load(path(".pth"), weights_only=True)))
            timed(times, "torch.load(mmap=True)",
                  lambda: into_network(torch.load(path(".pth"), weights_only=True, mmap=True)))
            timed(times, "safetensors load_file", lambda: into_network(load_file(path(".safetensors"))))
            timed(times, "torch.save, fsync", lambda: synced(lambda: torch.save(state, path(".new.pth"))))
            os.remove(path(".new.pth"))
            timed(times, "safetensors save_file, fsync",
                  lambda: synced(lambda: save_file(state, path(".new.safetensors"))))
            os.remove(path(".new.safetensors"))
    for name in (".raw", ".pth", ".safetensors"):
        if os.path.exists(path(name)):
            os.remove(path(name))
    for name, values in times.items():
        print(f"{name:45} median {statistics.median(values):8.1f} ms   "
              f"({min(values):.1f} to {max(values):.1f}, {len(values)} rounds)")


if __name__ == "__main__":
    main()
