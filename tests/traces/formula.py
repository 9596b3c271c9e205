"""Numbers that both sides compute: element i of the tensor `name`, from integers alone, so bit for bit the same.
tests/support/formula.h is the same in C++."""
import math

import numpy
import torch


def bits(name, count):
    """64 bits for each element: splitmix64 of the FNV-1a hash of the name, plus the element's index times a constant."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with numpy.errstate(over="ignore"):
        z = numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15) + numpy.uint64(seed)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return z ^ (z >> numpy.uint64(31))


def uniform(name, shape):
    """float64 in [-1, 1)."""
    u = (bits(name, math.prod(shape)) >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1
    return torch.from_numpy(u).reshape(shape)


def fill(module):
    """Parameters and buffers of a network: matrices and kernels uniform with variance 2 / fan_in, weights of
    normalisations around 1, the rest around 0. Integers stay."""
    with torch.no_grad():
        for name, x in module.state_dict().items():
            if not x.is_floating_point():
                continue
            u = uniform(name, x.shape)
            if x.dim() > 1:
                u = u * math.sqrt(6 / (x.numel() // x.shape[0]))
            elif name.endswith("running_var"):
                u = 1 + 0.3 * u
            elif name.endswith("weight"):
                u = 1 + 0.1 * u
            else:
                u = 0.1 * u
            x.copy_(u)


def sketch(x):
    """What stands for a tensor's elements: all, if there are up to 12; else the norm, the products with four
    formula tensors and four elements, evenly spaced. An error in x shows in it, relative to the norm."""
    x = x.detach().double().reshape(-1)
    if x.numel() <= 12:
        return x.tolist()
    z = bits("sketch", x.numel())
    products = []
    for shift in (0, 16, 32, 48):
        piece = (z >> numpy.uint64(shift)) & numpy.uint64(0xFFFF)
        products.append(float(x @ torch.from_numpy(piece.astype(numpy.float64) * 2.0**-15 - 1)))
    return [float(x.norm()), *products, *x[:: x.numel() // 4][:4].tolist()]
