"""W9: a U-Net of 3 levels on 8 images of 96 x 96, as ours/w9_segmentation.cpp."""
import torch
import torch.nn.functional as F
from common import COMPILES, Case, compiled, compiled_step, optimizer_of, set_weights, tensor, weights_of
from torch import nn

LAYOUTS = {"": torch.contiguous_format, "-channels-last": torch.channels_last}
CASES = [f"{case}/96 {way}{layout}" for case in ("unet", "unet-resized")
         for way in ["fused"] + (["compile"] if COMPILES else []) for layout in LAYOUTS]
BATCH, SIDE = 8, 96


def two_convolutions(cin, cout):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(True),
                         nn.Conv2d(cout, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(True))


class UNet(nn.Module):
    def __init__(self, resizes):
        super().__init__()

        def widening(cin, cout):
            if not resizes:
                return nn.Sequential(nn.ConvTranspose2d(cin, cout, 2, 2))
            return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(cin, cout, 1))

        self.down1, self.down2 = two_convolutions(3, 32), two_convolutions(32, 64)
        self.bottom = two_convolutions(64, 128)
        self.widen2, self.widen1 = widening(128, 64), widening(64, 32)
        self.up2, self.up1 = two_convolutions(128, 64), two_convolutions(64, 32)
        self.head = nn.Conv2d(32, 2, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.bottom(F.max_pool2d(b, 2))
        d = self.up2(torch.cat([b, self.widen2(c)], 1))
        return self.head(self.up1(torch.cat([a, self.widen1(d)], 1)))


def make(name):
    case, way = name.split()
    layout = torch.channels_last if way.endswith("-channels-last") else torch.contiguous_format
    way = way.removesuffix("-channels-last")
    net = UNet("resized" in case)
    set_weights(weights_of(net))
    net = net.to(memory_format=layout)
    images = tensor((BATCH, 3, SIDE, SIDE), 100, 1).to(memory_format=layout)
    classes = (torch.arange(BATCH * SIDE * SIDE) % 2).view(BATCH, SIDE, SIDE)
    optimizer = optimizer_of(way, torch.optim.SGD, net.parameters(), lr=0.01, momentum=0.9)
    loss_of = compiled(way, lambda: F.cross_entropy(net(images), classes))
    update = compiled_step(way, optimizer)

    def step():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        update()
        return loss

    return Case(step, lambda: [step().item() for _ in range(3)])
