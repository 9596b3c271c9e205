"""W8: transformers, as ours/w8_transformer.cpp."""
import torch
import torch.nn.functional as F
from common import WAYS, Case, compiled, compiled_step, optimizer_of, set_weights, tensor
from torch import nn

CASES = [f"{case} {way}" for case in ("language/256", "vit-ti/8") for way in WAYS]
WORDS, WIDTH, LENGTH, BATCH = 5000, 384, 256, 4


class Block(nn.Module):
    """Normalised first; attention through the fused function, which never holds its matrix."""

    def __init__(self, width, heads, hidden, eps, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.attention = nn.ParameterList([nn.Parameter(torch.empty(3 * width, width)), nn.Parameter(torch.empty(3 * width))])
        self.out = nn.Linear(width, width)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)

    def forward(self, x):
        n, l, e = x.shape
        weight, bias = self.attention
        q, k, v = F.linear(self.norm1(x), weight, bias).view(n, l, 3, self.heads, e // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(y.transpose(1, 2).reshape(n, l, e))
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.layers = nn.Sequential(*[Block(WIDTH, 6, 4 * WIDTH, 1e-5, True) for _ in range(6)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.register_buffer("positions", torch.arange(LENGTH))

    def in_order(self):
        yield from (self.words.weight, self.places.weight)
        for block in self.layers:
            yield from (block.attention[0], block.out.weight, block.linear1.weight, block.linear2.weight)
        yield self.head.weight

    def forward(self, text):
        return self.head(self.norm(self.layers(self.words(text) + self.places(self.positions))))


class VisionTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.empty(1, 1, 192))
        self.conv = nn.Conv2d(3, 192, 16, 16)
        self.places = nn.Parameter(torch.empty(1, 197, 192))
        self.layers = nn.Sequential(*[Block(192, 3, 768, 1e-6, False) for _ in range(12)])
        self.norm = nn.LayerNorm(192, 1e-6)
        self.head = nn.Linear(192, 1000)

    def in_order(self):
        yield from (self.token, self.conv.weight, self.places)
        for block in self.layers:
            yield from (block.attention[0], block.out.weight, block.linear1.weight, block.linear2.weight)
        yield self.head.weight

    def forward(self, images):
        x = self.conv(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.head(self.norm(self.layers(x))[:, 0])


def make(name):
    case, way = name.split()
    if case.startswith("language"):
        net = LanguageModel()
        x = (torch.arange(BATCH * LENGTH) * 7919 % WORDS).view(BATCH, LENGTH)
        target = (x * 31 + 7) % WORDS
    else:
        net = VisionTransformer()
        x, target = tensor((8, 3, 224, 224), 1000, 1), torch.arange(8) % 10
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() == 1:
                p.zero_()
        for module in net.modules():
            if isinstance(module, nn.LayerNorm):
                module.weight.fill_(1)
    set_weights(net.in_order())
    optimizer = optimizer_of(way, torch.optim.AdamW, net.parameters(), lr=1e-4)
    loss_of = compiled(way, lambda: F.cross_entropy(net(x).flatten(0, -2), target.flatten()))
    update = compiled_step(way, optimizer)

    def step():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        update()
        return loss

    return Case(step, lambda: [step().item() for _ in range(3)])
