"""W4: ResNet-50 on 8 images of 224 x 224, as ours/w4_resnet.cpp. Frozen parts are in evaluation, as Gradus's are."""
import torch
import torch.nn.functional as F
from common import Case, optimizer_of, set_weights, tensor, weights_of
from torch import nn

CASES = [f"{part}/{dtype} {way}" for part in ("full", "frozen", "attention") for dtype in ("float32", "bfloat16")
         for way in ("channels-last", "contiguous")]
BATCH, WIDTH = 8, 2048


def conv_bn(cin, cout, k, stride=1):
    return nn.Conv2d(cin, cout, k, stride, k // 2, bias=False), nn.BatchNorm2d(cout)


class Bottleneck(nn.Module):
    def __init__(self, cin, width, stride):
        super().__init__()
        cout = 4 * width
        self.conv1, self.bn1 = conv_bn(cin, width, 1)
        self.conv2, self.bn2 = conv_bn(width, width, 3, stride)
        self.conv3, self.bn3 = conv_bn(width, cout, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Sequential(*conv_bn(cin, cout, 1, stride)) if stride != 1 or cin != cout else None

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        cin = 64
        for i, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
            layer = []
            for b in range(blocks):
                layer.append(Bottleneck(cin, width, 2 if b == 0 and i > 0 else 1))
                cin = 4 * width
            setattr(self, f"layer{i + 1}", nn.Sequential(*layer))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(WIDTH, 1000)

    def features(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, x):
        return self.fc(torch.flatten(self.avgpool(self.features(x)), 1))


class Attention(nn.Module):
    def __init__(self, resnet):
        super().__init__()
        self.resnet = resnet
        self.f, self.g = nn.Conv2d(WIDTH, WIDTH // 8, 1), nn.Conv2d(WIDTH, WIDTH // 8, 1)
        self.h = nn.Conv2d(WIDTH, WIDTH, 1)
        self.gamma = nn.Parameter(torch.zeros(1))
        self.fc = nn.Linear(WIDTH, 10)

    def forward(self, images):
        x = self.resnet.features(images)
        seen = torch.softmax(torch.bmm(self.f(x).flatten(2).transpose(1, 2), self.g(x).flatten(2)), -1)
        y = self.gamma * torch.bmm(self.h(x).flatten(2), seen).reshape(x.shape) + x
        return self.fc(torch.flatten(self.resnet.avgpool(y), 1))


def make(name):
    case, way = name.split()
    part, dtype = case.split("/")
    net = ResNet50()
    if part != "full":
        net.requires_grad_(False).eval()
    if part == "frozen":
        net.fc = nn.Linear(WIDTH, 10)
    if part == "attention":
        net = Attention(net)
    set_weights(weights_of(net))
    layout = torch.channels_last if way == "channels-last" else torch.contiguous_format
    net = net.to(memory_format=layout)
    x = tensor((BATCH, 3, 224, 224), 1000, 1).to(memory_format=layout)
    labels = torch.arange(BATCH) % 10
    optimizer = optimizer_of("fused", torch.optim.SGD, [p for p in net.parameters() if p.requires_grad], lr=1e-4,
                             momentum=0.9)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = F.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return Case(step, lambda: [step().item() for _ in range(3)])
