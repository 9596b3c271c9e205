"""W5: a step of each optimizer, over ResNet-50's 161 tensors, one tensor of as many elements, and 1,000 of 1,000."""
import torch
from common import Case, optimizer_of

OPTIMIZERS = {
    "SGD": (torch.optim.SGD, {}),
    "SGD-momentum": (torch.optim.SGD, dict(momentum=0.9)),
    "Adam": (torch.optim.Adam, {}),
    "AdamW": (torch.optim.AdamW, {}),
    "NAdam": (torch.optim.NAdam, {}),
    "RAdam": (torch.optim.RAdam, {}),
    "Adamax": (torch.optim.Adamax, {}),
    "Adagrad": (torch.optim.Adagrad, {}),
    "Adadelta": (torch.optim.Adadelta, {}),
    "RMSprop": (torch.optim.RMSprop, {}),
    "Rprop": (torch.optim.Rprop, {}),
    "ASGD": (torch.optim.ASGD, {}),
}
FUSED = {"SGD", "SGD-momentum", "Adam", "AdamW", "Adagrad"}


def ways(name):
    return ["loop", "foreach"] + (["fused"] if name in FUSED else [])


CASES = [f"{name}/{count} {way}" for name in OPTIMIZERS for count in (161, 1, 1000) for way in ways(name)]


def resnet50():
    shapes = []

    def convolution(out, into, size):
        shapes.extend([(out, into, size, size), (out,), (out,)])  # with its batch norm

    convolution(64, 3, 7)
    into, width = 64, 64
    for blocks in (3, 4, 6, 3):
        for block in range(blocks):
            convolution(width, into, 1)
            convolution(width, width, 3)
            convolution(4 * width, width, 1)
            if block == 0:
                convolution(4 * width, into, 1)
            into = 4 * width
        width *= 2
    return shapes + [(1000, 2048), (1000,)]


def make(name):
    case, way = name.split()
    kind, count = case.split("/")
    shapes = {"161": resnet50(), "1": [(25_557_032,)], "1000": [(1000,)] * 1000}[count]
    params = [torch.randn(shape, requires_grad=True) for shape in shapes]
    for p in params:
        p.grad = torch.randn_like(p) * 1e-3
    optimizer_class, options = OPTIMIZERS[kind]
    return Case(optimizer_of(way, optimizer_class, params, **options).step)
