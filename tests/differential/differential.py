"""Writes random cases with PyTorch's results, one JSON object a line, for gradus_differential to run beside Gradus:

    python tests/differential/differential.py 5000 [SEED] > cases.jsonl
    cmake --build build --target gradus_differential && build/tests/gradus_differential cases.jsonl

Needs torch. Not part of the tests: it finds what to look at, and what was right becomes a test of its own.
"""
import json
import random
import sys
import warnings

import torch

import training
from generate import KINDS

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
random.seed(seed)
torch.manual_seed(seed)
kinds = KINDS + [training.optimizer, training.schedule]
made = refused = 0
while made < count:
    try:
        case = random.choice(kinds)()
    except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError, ZeroDivisionError):
        refused += 1  # what PyTorch does not take
        continue
    print(json.dumps(case | {"id": made}))
    made += 1
print(f"{made} cases, {refused} that PyTorch refused were left out", file=sys.stderr)
