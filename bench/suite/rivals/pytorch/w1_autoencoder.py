"""W1: the autoencoder 16-128-8, 8-128-16 over a noisy channel, as ours/w1_autoencoder.cpp."""
import torch
import torch.nn.functional as F
from common import WAYS, Case, compiled, compiled_step, optimizer_of, set_parameters
from torch import nn

CASES = [f"{part}/{batch} {way}" for part in ("joint", "decoder") for batch in (64, 1024) for way in WAYS]


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(16, 128), nn.LeakyReLU(), nn.Linear(128, 8))
        self.decoder = nn.Sequential(nn.Linear(8, 128), nn.LeakyReLU(), nn.Linear(128, 16))

    def received(self, x, sigma):
        code = self.encoder(x)
        sent = code * (8**0.5 / code.norm(2, 1, True))
        return sent + torch.randn_like(sent) * sigma


def make(name):
    case, way = name.split()
    part, batch = case.split("/")
    net = AutoEncoder()
    set_parameters(net, 1)
    messages = torch.arange(int(batch)) % 16
    x = F.one_hot(messages, 16).float()
    joint = part == "joint"
    optimizer = optimizer_of(way, torch.optim.Adam, (net if joint else net.decoder).parameters(), lr=1e-3)

    def loss_of(sigma):
        if joint:
            received = net.received(x, sigma)
        else:
            with torch.no_grad():
                received = net.received(x, sigma)
        return F.cross_entropy(net.decoder(received), messages)

    loss_of = compiled(way, loss_of)
    update = compiled_step(way, optimizer)

    def step(sigma=0.5):
        loss = loss_of(sigma)
        optimizer.zero_grad()
        loss.backward()
        update()
        return loss

    return Case(step, lambda: [step(0.0).item() for _ in range(20)])
