"""Networks: forward, loss, every gradient and 20 training steps."""
import torch
from torch import nn, optim
from torch.nn import functional as F

from formula import fill, sketch, uniform
from trace_io import write

ABOUT = (
    "Each network starts from formula.py's numbers (the article's gamma too), the deep ones changed by 'steady'. Input: "
    "uniform('image', 'shape'); labels: 7 i mod 10 of sample i; loss: cross entropy. 'output', 'grads' and 'buffers' are "
    "sketches (formula.py) of the first step's; 'losses' those of 20 steps; 'state' the state dict after them. The "
    "optimizers are in the scripts. "
    "'dcgan': step t takes images uniform('image t') and noise uniform('noise t'); losses of both networks; gradients "
    "of the first step, each right before its optimizer's step. All float64."
)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x).view(-1, 16 * 5 * 5))


def conv(i, o, k, stride=1):
    return nn.Conv2d(i, o, k, stride, k // 2, bias=False)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, i, c, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(i, c, 3, stride), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = conv(c, c, 3), nn.BatchNorm2d(c)
        self.downsample = None
        if stride != 1 or i != c:
            self.downsample = nn.Sequential(conv(i, c, 1, stride), nn.BatchNorm2d(c))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, i, c, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(i, c, 1), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = conv(c, c, 3, stride), nn.BatchNorm2d(c)
        self.conv3, self.bn3 = conv(c, 4 * c, 1), nn.BatchNorm2d(4 * c)
        self.downsample = None
        if stride != 1 or i != 4 * c:
            self.downsample = nn.Sequential(conv(i, 4 * c, 1, stride), nn.BatchNorm2d(4 * c))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, block, counts):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        i = 64
        for n, (c, count) in enumerate(zip((64, 128, 256, 512), counts)):
            stage = []
            for b in range(count):
                stage.append(block(i, c, 2 if n > 0 and b == 0 else 1))
                i = c * block.expansion
            setattr(self, f"layer{n + 1}", nn.Sequential(*stage))
        self.fc = nn.Linear(i, 10)

    def features(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class RESNET_attention(nn.Module):
    """The article's; its forward is not there, and is that of SAGAN. What does not train evaluates."""

    def __init__(self, model, pretrained):
        super().__init__()
        self.resnet = model(pretrained)
        for p in self.parameters():
            p.requires_grad = False
        self.f = nn.Conv2d(2048, 512, 1)
        self.g = nn.Conv2d(2048, 512, 1)
        self.h = nn.Conv2d(2048, 2048, 1)
        self.softmax = nn.Softmax(-1)
        self.gamma = nn.Parameter(torch.FloatTensor([0.0]))
        self.avgpool = nn.AvgPool2d(7, stride=1)
        self.resnet.fc = nn.Linear(2048, 10)
        self.resnet.eval()

    def forward(self, x):
        x = self.resnet.features(x)
        f, g, h = self.f(x).flatten(2), self.g(x).flatten(2), self.h(x).flatten(2)
        attention = self.softmax(g.transpose(1, 2) @ f)
        y = self.gamma * (h @ attention.transpose(1, 2)).view(x.shape) + x
        return self.resnet.fc(self.avgpool(y).flatten(1))


class Generator(nn.Module):
    def __init__(self, nz, ngf, nc):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False), nn.BatchNorm2d(ngf * 8), nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 8, ngf * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf * 4), nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf * 2), nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf), nn.ReLU(True),
            nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self, ndf, nc):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(nc, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 2), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, ndf * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 4), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 4, ndf * 8, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 8), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 8, 1, 4, 1, 0, bias=False), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x):
        return self.main(x).view(-1, 1).squeeze(1)


def sketches(named):
    return {k: sketch(x) for k, x in named if x is not None}


def gradients(*nets):
    return sketches((k, p.grad) for net in nets for k, p in net.named_parameters())


def steady(net):
    """Roundings stay roundings in what is deep or has a softmax: residual branches are small beside what they are added
    to, few inputs of ReLU lie close to zero, and no attention is all on one position."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name.endswith("bn3.weight"):
                p.mul_(0.2)
            elif name.endswith(("bn1.bias", "bn2.bias", "bn3.bias")):
                p.add_(p.sign(), alpha=1 if name.endswith("bn3.bias") else 2)
            elif name in ("f.weight", "g.weight"):
                p.mul_(0.1)


def train(name, net, make_optimizer, shape, image="x", change=lambda net: None, steps=20):
    fill(net.double())  # also what a FloatTensor made
    change(net)
    optimizer = make_optimizer(net)
    x = uniform(image, shape)
    labels = torch.arange(shape[0]) * 7 % 10
    entry = {"name": name, "image": image, "shape": list(shape), "losses": []}
    for step in range(steps):
        optimizer.zero_grad()
        output = net(x)
        loss = F.cross_entropy(output, labels)
        loss.backward()
        if step == 0:
            entry["output"] = sketch(output)
            entry["grads"] = gradients(net)
            entry["buffers"] = sketches(net.named_buffers())
        optimizer.step()
        entry["losses"].append(loss.item())
    entry["state"] = sketches(net.state_dict().items())
    print(name, entry["losses"][0], entry["losses"][-1])
    return entry


def train_dcgan(batch=4, nz=20, features=8, nc=3, steps=20):
    g, d = Generator(nz, features, nc), Discriminator(features, nc)
    fill(g)
    fill(d)
    adam = {"lr": 0.0002, "betas": (0.5, 0.999)}
    d_optimizer, g_optimizer = optim.Adam(d.parameters(), **adam), optim.Adam(g.parameters(), **adam)
    entry = {"name": "dcgan", "batch": batch, "noise": nz, "features": features, "losses": []}
    ones, zeros = torch.ones(batch), torch.zeros(batch)
    for step in range(steps):
        d.zero_grad()
        real = F.binary_cross_entropy(d(uniform(f"image {step}", (batch, nc, 64, 64))), ones)
        real.backward()
        images = g(uniform(f"noise {step}", (batch, nz, 1, 1)))
        fake = F.binary_cross_entropy(d(images.detach()), zeros)
        fake.backward()
        if step == 0:
            entry["d_grads"] = gradients(d)
        d_optimizer.step()
        g.zero_grad()
        fooled = F.binary_cross_entropy(d(images), ones)
        fooled.backward()
        if step == 0:
            entry["g_grads"], entry["output"] = gradients(g), sketch(images)
        g_optimizer.step()
        entry["losses"].append([real.item() + fake.item(), fooled.item()])
    entry["state"] = {"g": sketches(g.state_dict().items()), "d": sketches(d.state_dict().items())}
    print("dcgan", entry["losses"][0], entry["losses"][-1])
    return entry


def lenet_optimizer(net):
    return optim.SGD(
        [{"params": net.features.parameters()}, {"params": net.classifier.parameters(), "lr": 1e-2}],
        lr=1e-3,
        momentum=0.9,
    )


def resnet_optimizer(net):
    """A small rate, as few samples in each normalisation and deep networks magnify what differs in the last bits."""
    return optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)


def article_optimizer(net):
    """The article's, at a tenth of its rate, for the same reason."""
    trained = filter(lambda p: p.requires_grad, net.parameters())
    return optim.Adam(trained, lr=0.00001, betas=(0.9, 0.999), eps=1e-08, weight_decay=1e-5)


def main():
    # The images for the ResNets are those, of many tried, that bring the inputs of ReLU least close to zero: there a
    # rounding decides whether a whole gradient passes. Those of ResNet-50 stay 11 times farther from it than what
    # float32 changes in them on average.
    # Attention needs 7 x 7 positions, the fewest of which come from images of 193 x 193; one block a stage, as the
    # depth of what is frozen changes nothing else.
    runs = [
        train("lenet", LeNet(), lenet_optimizer, (8, 3, 32, 32)),
        train("resnet18", ResNet(BasicBlock, (2, 2, 2, 2)), resnet_optimizer, (8, 3, 32, 32), "x6"),
        train("resnet50", ResNet(Bottleneck, (3, 4, 6, 3)), resnet_optimizer, (8, 3, 32, 32), "x24", steady),
        train("resnet_attention", RESNET_attention(lambda p: ResNet(Bottleneck, (1, 1, 1, 1)), True),
              article_optimizer, (2, 3, 193, 193), change=steady),  # fmt: skip
        train_dcgan(),
    ]
    write(__file__, {"about": ABOUT, "networks": runs})


if __name__ == "__main__":
    main()
