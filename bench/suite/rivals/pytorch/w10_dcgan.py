"""W10: DCGAN for 64 x 64 images, batch 32: a step of the discriminator and one of the generator, as
ours/w10_dcgan.cpp."""
import torch
import torch.nn.functional as F
from common import COMPILES, Case, compiled, compiled_step, optimizer_of, set_weights, tensor, weights_of
from torch import nn

BATCH, WIDTH = 32, 64
LAYOUTS = {"": torch.contiguous_format, "-channels-last": torch.channels_last}
CASES = [f"pair/32 {way}{layout}" for way in ["fused"] + (["compile"] if COMPILES else []) for layout in LAYOUTS]


def generator():
    layers, cin = [], 100
    for i, cout in enumerate((8 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH)):
        layers += [nn.ConvTranspose2d(cin, cout, 4, 1 if i == 0 else 2, 0 if i == 0 else 1, bias=False),
                   nn.BatchNorm2d(cout), nn.ReLU(True)]
        cin = cout
    return nn.Sequential(*layers, nn.ConvTranspose2d(cin, 3, 4, 2, 1, bias=False), nn.Tanh())


def discriminator():
    layers, cin = [], 3
    for i, cout in enumerate((WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH)):
        layers += [nn.Conv2d(cin, cout, 4, 2, 1, bias=False)] + ([nn.BatchNorm2d(cout)] if i else [])
        layers += [nn.LeakyReLU(0.2, inplace=True)]
        cin = cout
    return nn.Sequential(*layers, nn.Conv2d(cin, 1, 4, 1, 0, bias=False), nn.Sigmoid(), nn.Flatten(0))


def make(name):
    way = name.split()[1]
    layout = torch.channels_last if way.endswith("-channels-last") else torch.contiguous_format
    way = way.removesuffix("-channels-last")
    D, G = discriminator(), generator()
    set_weights(weights_of(D), 1)
    set_weights(weights_of(G), 50)
    D, G = D.to(memory_format=layout), G.to(memory_format=layout)
    images = tensor((BATCH, 3, 64, 64), 100, 1).to(memory_format=layout)
    fixed_noise = tensor((BATCH, 100, 1, 1), 101, 1)
    real, fake = torch.ones(BATCH), torch.zeros(BATCH)
    betas = dict(lr=2e-4, betas=(0.5, 0.999))
    d_optimizer = optimizer_of(way, torch.optim.Adam, D.parameters(), **betas)
    g_optimizer = optimizer_of(way, torch.optim.Adam, G.parameters(), **betas)
    make_images = compiled(way, G)
    d_loss_of = compiled(way, lambda made: F.binary_cross_entropy(D(images), real) + F.binary_cross_entropy(D(made), fake))
    g_loss_of = compiled(way, lambda made: F.binary_cross_entropy(D(made), real))
    d_update, g_update = compiled_step(way, d_optimizer), compiled_step(way, g_optimizer)

    def step(random=True):
        made = make_images(torch.randn(BATCH, 100, 1, 1) if random else fixed_noise)
        d_loss = d_loss_of(made.detach())
        d_optimizer.zero_grad()
        d_loss.backward()
        d_update()
        g_loss = g_loss_of(made)
        g_optimizer.zero_grad()
        g_loss.backward(inputs=list(G.parameters()))  # nothing is computed for what the generator does not own
        g_update()
        return d_loss.detach() + g_loss.detach()

    return Case(step, lambda: [step(False).item() for _ in range(2)])
