"""W7: recurrent networks: two layers of 384, 100 positions, batch 20, SGD, as ours/w7_recurrent.cpp."""
import torch
import torch.nn.functional as F
from common import WAYS, Case, compiled, compiled_step, optimizer_of, set_parameters, tensor

NETS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
CASES = [f"{net}/384 {way}" for net in NETS for way in WAYS]


def make(name):
    net, way = name.split()
    net = NETS[net.split("/")[0]](384, 384, 2)
    set_parameters(net, 1)
    x, target = tensor((100, 20, 384), 100, 1), tensor((100, 20, 384), 101, 1)
    optimizer = optimizer_of(way, torch.optim.SGD, net.parameters(), lr=0.1)
    loss_of = compiled(way, lambda: F.mse_loss(net(x)[0], target))
    update = compiled_step(way, optimizer)

    def step():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        update()
        return loss

    return Case(step, lambda: [step().item() for _ in range(5)])
