"""W11: large plain products, as ours/w11_products.cpp."""
import torch
import torch.nn.functional as F
from common import WAYS, Case, compiled, compiled_step, optimizer_of, set_parameters, tensor
from torch import nn

CASES = [f"perceptron/2048 {way}" for way in WAYS] + ["float64/1000 loop"]
BATCH, WIDTH = 128, 2048


def make(name):
    case, way = name.split()
    if case.startswith("float64"):
        a, b = tensor((1000, 1000), 1, 1).double(), tensor((1000, 1000), 2, 1).double()
        return Case(lambda: torch.mm(a, b), lambda: [torch.mm(a, b).square().mean().item()])
    net = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(),
                        nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
    set_parameters(net, 1)
    x, target = tensor((BATCH, WIDTH), 100, 1), tensor((BATCH, WIDTH), 101, 1)
    optimizer = optimizer_of(way, torch.optim.SGD, net.parameters(), lr=0.01)
    loss_of = compiled(way, lambda: F.mse_loss(net(x), target))
    update = compiled_step(way, optimizer)

    def step():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        update()
        return loss

    return Case(step, lambda: [step().item() for _ in range(5)])
