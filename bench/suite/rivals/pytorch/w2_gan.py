"""W2: one step of a fully connected GAN's discriminator and one of its generator, as ours/w2_gan.cpp."""
import torch
import torch.nn.functional as F
from common import WAYS, Case, compiled, compiled_step, optimizer_of, set_parameters, tensor
from torch import nn

BATCH = 128
CASES = [f"pair/128 {way}" for way in WAYS]


def make(name):
    way = name.split()[1]
    D = nn.Sequential(nn.Linear(784, 256), nn.LeakyReLU(0.2), nn.Linear(256, 256), nn.LeakyReLU(0.2),
                      nn.Linear(256, 1), nn.Sigmoid())
    G = nn.Sequential(nn.Linear(100, 256), nn.ReLU(True), nn.Linear(256, 256), nn.ReLU(True),
                      nn.Linear(256, 784), nn.Tanh())
    set_parameters(D, 1)
    set_parameters(G, 50)
    images, fixed_noise = tensor((BATCH, 784), 100, 1), tensor((BATCH, 100), 101, 1)
    real, fake = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    d_optimizer = optimizer_of(way, torch.optim.Adam, D.parameters(), lr=3e-4)
    g_optimizer = optimizer_of(way, torch.optim.Adam, G.parameters(), lr=3e-4)

    def d_loss_of(noise):
        with torch.no_grad():
            made = G(noise)
        return F.binary_cross_entropy(D(images), real) + F.binary_cross_entropy(D(made), fake)

    def g_loss_of(noise):
        return F.binary_cross_entropy(D(G(noise)), real)

    d_loss_of, g_loss_of = compiled(way, d_loss_of), compiled(way, g_loss_of)
    d_update, g_update = compiled_step(way, d_optimizer), compiled_step(way, g_optimizer)

    def step(random=True):
        d_loss = d_loss_of(torch.randn(BATCH, 100) if random else fixed_noise)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_update()
        g_loss = g_loss_of(torch.randn(BATCH, 100) if random else fixed_noise)
        g_optimizer.zero_grad()
        g_loss.backward(inputs=list(G.parameters()))  # nothing is computed for what the generator does not own
        g_update()
        return d_loss.detach() + g_loss.detach()

    return Case(step, lambda: [step(False).item() for _ in range(10)])
