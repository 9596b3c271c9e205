"""Times reading pictures with Gradus, Pillow and torchvision, on the same files.

Usage: python bench/loader.py build/release/bench/gradus_bench
Needs torch and torchvision; Pillow comes with them. Rates are per second of processor time, so that other programs on
the machine matter little. Each figure is the median of 5 rounds, taken in turn.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image, read_file
from torchvision.transforms import v2

torch.set_num_threads(1)
ROUNDS = 5
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
NORMALISE = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
TRAIN = [v2.RandomResizedCrop(224), v2.RandomHorizontalFlip()]
EVAL = [v2.Resize(256), v2.CenterCrop(224)]
EVAL_128 = [v2.Resize(146), v2.CenterCrop(128)]


def pillow(steps):
    transform = v2.Compose(steps + [v2.PILToTensor()] + NORMALISE if steps else [v2.PILToTensor()])

    def run(path):
        with open(path, "rb") as file:
            return transform(Image.open(file).convert("RGB"))
    return run


def torchvision(steps):
    transform = v2.Compose(steps + NORMALISE) if steps else (lambda x: x)
    return lambda path: transform(decode_image(read_file(path), ImageReadMode.RGB))


def rate(run, files):
    start = time.process_time()
    for path in files:
        run(path)
    return len(files) / (time.process_time() - start)


def gradus(command, case, folder):
    """Images per second of one case."""
    out = subprocess.run([command, f"--benchmark_filter=^{case}$", "--benchmark_format=json", "--benchmark_min_time=0.3"],
                         env={**os.environ, "GRADUS_BENCH_IMAGES": folder}, capture_output=True, text=True, check=True)
    return json.loads(out.stdout)["benchmarks"][0]["images/s"]


def main():
    command = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        gradus(command, "loader_decode", folder)
        names = sorted(os.listdir(os.path.join(folder, "class")))
        files = [os.path.join(folder, "class", name) for name in names]
        size = sum(os.path.getsize(path) for path in files) / len(files)
        print(f"{len(files)} JPEGs of 500 x 375, {size / 1024:.0f} KiB on average; images per second of a core")
        print(f"{'':24}{'gradus':>10}{'Pillow':>10}{'torchvision':>13}")
        for case, steps in [("loader_decode", []), ("loader_train", TRAIN), ("loader_eval", EVAL), ("loader_eval_128", EVAL_128)]:
            runs = [pillow(steps), torchvision(steps)]
            rates = [[], [], []]
            for _ in range(ROUNDS):
                rates[0].append(gradus(command, case, folder))
                for i, run in enumerate(runs):
                    rates[i + 1].append(rate(run, files))
            a, b, c = [sorted(x)[ROUNDS // 2] for x in rates]
            print(f"{case:24}{a:10.0f}{b:10.0f}{c:13.0f}")
        values = sorted(gradus(command, "loader_eval_128_scaled", folder) for _ in range(ROUNDS))
        print(f"{'loader_eval_128_scaled':24}{values[ROUNDS // 2]:10.0f}")


if __name__ == "__main__":
    main()
