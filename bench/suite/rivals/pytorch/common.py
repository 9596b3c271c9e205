"""What the PyTorch side shares: threads, parameters, and the ways to do a step that are tried."""
import os
import sys

import torch
from serve import Case, numbers  # noqa: F401

torch.set_num_threads(int(sys.argv[2]))
torch.set_flush_denormal(True)
torch.manual_seed(1)
COMPILES = os.environ.get("GRADUS_COMPARE_COMPILE", "1") == "1"

# The plain loop over parameters, PyTorch's foreach, its fused kernels; and torch.compile on the loss, beside the fused
# kernels, and on the optimizer too.
WAYS = ["loop", "foreach", "fused"] + (["compile", "compile-all"] if COMPILES else [])


def tensor(sizes, seed, scale):
    return torch.from_numpy(numbers(sizes, seed, scale))


def set_parameters(module, seed):
    bound = 0
    with torch.no_grad():
        for p in module.parameters():
            if p.dim() > 1:
                bound = 1 / (p.numel() / p.shape[0]) ** 0.5
            p.copy_(tensor(tuple(p.shape), seed, bound))
            seed += 1


def weights_of(module):
    """The weights that set_weights fills, where the order is that of registration; biases become zero."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            if p.dim() > 1:
                yield p
            elif name.endswith("bias"):
                p.zero_()


def set_weights(weights, seed=1):
    with torch.no_grad():
        for p in weights:
            p.copy_(tensor(tuple(p.shape), seed, (p.shape[0] / p.numel()) ** 0.5))
            seed += 1


def optimizer_of(way, kind, params, **options):
    flags = {"loop": dict(foreach=False), "foreach": dict(foreach=True), "compile-all": dict(foreach=True)}
    return kind(params, **options, **flags.get(way, dict(fused=True)))


def compiled(way, function):
    return torch.compile(function) if way.startswith("compile") else function


def compiled_step(way, optimizer):
    return torch.compile(optimizer.step) if way == "compile-all" else optimizer.step
