"""The Python half of the protocol in ../serve.h: python serve.py pytorch/w1_autoencoder.py THREADS [once CASE STEPS]

A rival's file has `CASES`, the names, and `make(case)`, which gives a Case. Names are as in Gradus's file; where a
library has several ways to do a thing, "joint/64 fused" is one of them.
"""
import gc
import importlib.util
import json
import os
import pathlib
import sys
import time

import numpy as np


class Case:
    """What is timed; the losses of its first steps; and, where work is queued, how to wait for it."""

    def __init__(self, step, losses=None, wait=None):
        self.step = step
        self.losses = losses or (lambda: [])
        self.wait = wait or (lambda: None)


def numbers(sizes, seed, scale):
    """The same numbers on every side, in [-scale, scale): a hash of the seed and the position."""
    count = int(np.prod(sizes))
    h = np.arange(1, count + 1, dtype=np.uint32)
    h = h * np.uint32(2654435761) + np.uint32(seed * 40503 % 2**32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(2246822519)
    h ^= h >> np.uint32(13)
    h *= np.uint32(3266489917)
    h ^= h >> np.uint32(16)
    return ((h / 2.0**32 * 2 - 1) * scale).astype(np.float32).reshape(sizes)


def measure(case, seconds):
    case.step()
    batch = 1
    while True:
        case.wait()
        start = time.perf_counter()
        for _ in range(batch):
            case.step()
        case.wait()
        if time.perf_counter() - start > 1e-3:
            break
        batch *= 2
    steps, start, spent = 0, time.perf_counter(), 0.0
    while spent < seconds:
        for _ in range(batch):
            case.step()
        case.wait()
        steps += batch
        spent = time.perf_counter() - start
    return {"seconds": spent / steps, "steps": steps}


def main():
    path = pathlib.Path(sys.argv[1])
    sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    rival = importlib.util.module_from_spec(spec)
    answers = os.fdopen(os.dup(1), "w")  # what a library prints must not stand between the answers
    os.dup2(2, 1)
    spec.loader.exec_module(rival)
    made = {}

    def case(name):
        if name not in made:
            made[name] = rival.make(name)
        return made[name]

    if len(sys.argv) == 6:
        one = case(sys.argv[4])
        for _ in range(int(sys.argv[5])):
            one.step()
        one.wait()
        return
    for line in sys.stdin:
        request, *rest = line.rstrip("\n").split("\t")
        if request == "list":
            answer = {"cases": list(rival.CASES)}
        elif request == "check":
            answer = {"losses": [float(x) for x in case(rest[0]).losses()]}
        elif request == "time":
            answer = measure(case(rest[0]), float(rest[1]))
        else:
            made.clear()
            gc.collect()
            answer = {}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.modules["serve"] = sys.modules["__main__"]
    main()
