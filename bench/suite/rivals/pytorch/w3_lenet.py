"""W3: LeNet for 3 x 32 x 32 images, batch 64, SGD with momentum over two groups, as ours/w3_lenet.cpp."""
import torch
import torch.nn.functional as F
from common import WAYS, Case, compiled, compiled_step, optimizer_of, set_parameters, tensor
from torch import nn

BATCH = 64
LAYOUTS = {"": torch.contiguous_format, "-channels-last": torch.channels_last}
CASES = [f"step/64 {way}{layout}" for way in WAYS for layout in LAYOUTS]


def make(name):
    way = name.split()[1]
    layout = torch.channels_last if way.endswith("-channels-last") else torch.contiguous_format
    way = way.removesuffix("-channels-last")
    features = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
                             nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2, 2))
    classifier = nn.Sequential(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    net = nn.Sequential(features, nn.Flatten(1), classifier)
    set_parameters(net, 1)
    net = net.to(memory_format=layout)
    images = tensor((BATCH, 3, 32, 32), 100, 1).to(memory_format=layout)
    classes = torch.arange(BATCH) % 10
    optimizer = optimizer_of(way, torch.optim.SGD,
                             [{"params": features.parameters()}, {"params": classifier.parameters(), "lr": 1e-2}],
                             lr=1e-3, momentum=0.9)
    loss_of = compiled(way, lambda: F.cross_entropy(net(images), classes))
    update = compiled_step(way, optimizer)

    def step():
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        update()
        return loss

    return Case(step, lambda: [step().item() for _ in range(10)])
