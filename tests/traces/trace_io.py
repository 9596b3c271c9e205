"""Shared by the make_*.py scripts: fixed inputs and compact JSON."""
import json
import math
import os
import random

import torch

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def values(seed, count, low=-1.0, high=1.0, digits=4):
    """`count` short decimals in [low, high], the same on every machine."""
    source = random.Random(seed)
    return [round(source.uniform(low, high), digits) for _ in range(count)]


def tensor(seed, shape, low=-1.0, high=1.0):
    return torch.tensor(values(seed, math.prod(shape), low, high)).reshape(shape)


def number(x):
    if isinstance(x, float) and not math.isfinite(x):
        return "nan" if x != x else "inf" if x > 0 else "-inf"
    if isinstance(x, float) and x == int(x) and abs(x) < 1e15 and (x != 0 or math.copysign(1, x) > 0):
        return int(x)  # shorter; minus zero stays what it is
    return x


def flat(t):
    """A tensor's elements in row-major order."""
    return [number(x) for x in t.detach().reshape(-1).tolist()]


def array(t):
    entry = {"shape": list(t.shape), "data": flat(t)}
    if t.dtype != torch.float64:
        entry["dtype"] = str(t.dtype).removeprefix("torch.")
    return entry


def write(script, document):
    """Writes NAME.json beside make_NAME.py: one line for each member, and for each entry of a list or table."""
    name = os.path.basename(script).removeprefix("make_").removesuffix(".py") + ".json"
    document = {"torch": torch.__version__.split("+")[0], **document}
    compact = lambda x: json.dumps(x, separators=(",", ":"), allow_nan=False)
    members = []
    for key, member in document.items():
        if isinstance(member, list) and member and isinstance(member[0], (dict, list)):
            text = "[\n" + ",\n".join(compact(x) for x in member) + "\n]"
        elif isinstance(member, dict) and member and all(isinstance(x, (dict, list)) for x in member.values()):
            text = "{\n" + ",\n".join(f"{compact(k)}:{compact(x)}" for k, x in member.items()) + "\n}"
        else:
            text = compact(member)
        members.append(f"{compact(key)}:{text}")
    path = os.path.join(os.path.dirname(os.path.abspath(script)), name)
    with open(path, "w", encoding="utf-8") as out:
        out.write("{" + ",\n".join(members) + "}\n")
    print(f"{name}: {os.path.getsize(path)} bytes")
