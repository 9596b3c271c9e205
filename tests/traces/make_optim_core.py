"""Losses of a 3-layer network over 100 steps, for every option combination of SGD, Adam and AdamW."""
from itertools import product

import torch
from torch import nn

from trace_io import array, number, tensor, values, write

STEPS = 100
BATCHES = 10
ROWS = 5

ABOUT = (
    "Sequential(Linear(6,10), Tanh, Linear(10,8), LeakyReLU(0.01), Linear(8,3)) and mean cross entropy, all "
    "float64, from 'parameters' (each weight [out,in]). Step t = 0..99 uses batches[t % 10]: zero_grad, loss, "
    "backward, step; losses[t] is the cross entropy before that step. With maximize the backward pass starts from "
    "minus the cross entropy. 'options' gives every option that the case sets; others have PyTorch's defaults."
)


def network():
    net = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 8), nn.LeakyReLU(0.01), nn.Linear(8, 3))
    with torch.no_grad():
        for seed, p in enumerate(net.parameters()):
            p.copy_(tensor(100 + seed, p.shape, -0.6, 0.6))
    return net


def batches():
    for b in range(BATCHES):
        rows = tensor(200 + b, (ROWS, 6), -2, 2)
        yield rows, torch.tensor([int(3 * x) for x in values(300 + b, ROWS, 0, 0.9999)])


def cases():
    for momentum, dampening, nesterov, decay, maximize in product(
        (0, 0.9), (0, 0.1), (False, True), (0, 0.01), (False, True)
    ):
        if nesterov and (momentum == 0 or dampening != 0):
            continue  # refused by PyTorch
        yield "SGD", dict(
            lr=0.1, momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=decay, maximize=maximize
        )
    for name, betas, eps, amsgrad, decay, maximize in product(
        ("Adam", "AdamW"), ((0.9, 0.999), (0.8, 0.95)), (1e-8, 1e-3), (False, True), (0, 0.01), (False, True)
    ):
        yield name, dict(lr=0.01, betas=betas, eps=eps, amsgrad=amsgrad, weight_decay=decay, maximize=maximize)


def losses(name, options, nudge=0.0):
    net = network()
    if nudge:
        with torch.no_grad():
            for p in net.parameters():
                p.mul_(1 + nudge)
    optimizer = getattr(torch.optim, name)(net.parameters(), foreach=False, fused=False, **options)
    data = list(batches())
    course = []
    for t in range(STEPS):
        rows, labels = data[t % BATCHES]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(rows), labels)
        (-loss if options["maximize"] else loss).backward()
        optimizer.step()
        course.append(loss.item())
    return course


def main():
    recorded = []
    for name, options in cases():
        course = losses(name, options)
        nudged = losses(name, options, 2e-16 * 8)
        # A trace that magnified rounding could not be replayed to 1e-9 by other code.
        spread = max(abs(a - b) / abs(a) for a, b in zip(course, nudged))
        assert spread < 1e-11, (name, options, spread)
        recorded.append({"optimizer": name, "options": options, "losses": [number(x) for x in course]})
    write(
        __file__,
        {
            "about": ABOUT,
            "parameters": {key: array(p) for key, p in network().named_parameters()},
            "batches": [{"input": array(rows), "target": array(labels)} for rows, labels in batches()],
            "cases": recorded,
        },
    )


if __name__ == "__main__":
    main()
