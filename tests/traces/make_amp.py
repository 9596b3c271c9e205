"""Loss scaling: torch.amp.GradScaler alone, and beneath autocast in float16."""
import torch
from torch import nn, optim
from torch.nn import functional as F

from formula import fill, uniform
from trace_io import array, number, write

ABOUT = (
    "Step t takes the rows uniform('x t') or uniform('v t'), labels 7 i + t mod 3. 'scaler': float64; Linear(6, 8),"
    " Tanh, Linear(8, 3) of formula.py's numbers; one scaler of the options for two optimizers, SGD(lr 0.1, "
    "momentum 0.9) of the first layer, whose gradients are clipped to the norm 0.3 after unscale_, and Adam(lr "
    "0.01) of the last one. Before unscale_, what 'spoiled' says is written to the first element of a layer's "
    "weight's gradient. 'set' is a scale given to update. 'autocast': float32; Conv2d(2, 8, 3), BatchNorm2d(8), "
    "ReLU, Flatten, Linear(72, 16), ReLU, Linear(16, 3) under autocast('cpu', float16); SGD(lr 0.05, momentum 0.9);"
    " the input of a step in 'large' is multiplied by 'by'. Each step: loss, whether each optimizer stepped, scale "
    "and growth tracker after update. 'state': parameters at the end."
)
OPTIONS = dict(init_scale=1000.0, growth_factor=1.7, backoff_factor=0.3, growth_interval=4)
SPOILED = {11: {"0": "inf"}, 12: {"2": "nan"}, 13: {"0": "-inf", "2": "nan"}, 20: {"2": "inf"}}
SET = {24: 77.0}
AUTOCAST = dict(init_scale=2.0**24, growth_interval=6)
LARGE, BY = [17, 18], 3e5


def labels(step, count):
    return (7 * torch.arange(count) + step) % 3


def stepped(scaler, optimizer):
    """Whether the optimizer's own step was called."""
    calls = []
    original = optimizer.step
    optimizer.step = lambda: calls.append(original())
    scaler.step(optimizer)
    optimizer.step = original
    return len(calls) == 1


def scaler_alone():
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    fill(net)
    first = optim.SGD(net[0].parameters(), lr=0.1, momentum=0.9)
    last = optim.Adam(net[2].parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", **OPTIONS)
    steps = []
    for step in range(30):
        loss = F.cross_entropy(net(uniform(f"x {step}", (5, 6))), labels(step, 5))
        net.zero_grad()
        scaler.scale(loss).backward()
        for layer, value in SPOILED.get(step, {}).items():
            net[int(layer)].weight.grad[0, 0] = float(value)
        scaler.unscale_(first)
        nn.utils.clip_grad_norm_(net[0].parameters(), 0.3)
        done = [stepped(scaler, first), stepped(scaler, last)]
        scaler.update(*([SET[step]] if step in SET else []))
        steps.append([loss.item(), done, scaler.get_scale(), scaler._get_growth_tracker()])
    return dict(
        options=OPTIONS, spoiled={str(k): v for k, v in SPOILED.items()}, set={str(k): v for k, v in SET.items()},
        steps=steps, state={k: array(v) for k, v in net.state_dict().items()}, scaler=scaler.state_dict(),
    )  # fmt: skip


def under_autocast():
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(72, 16), nn.ReLU(), nn.Linear(16, 3)
    )
    fill(net)
    net.float()
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", **AUTOCAST)
    steps = []
    for step in range(30):
        x = uniform(f"v {step}", (8, 2, 5, 5)).float() * (BY if step in LARGE else 1)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            output = net(x)
            loss = F.cross_entropy(output, labels(step, 8))
        assert output.dtype == torch.float16 and loss.dtype == torch.float32
        scaler.scale(loss).backward()
        done = stepped(scaler, optimizer)
        scaler.update()
        steps.append([number(loss.item()), [done], scaler.get_scale(), scaler._get_growth_tracker()])
    state = {k: array(v) for k, v in net.state_dict().items() if not k.startswith("1.")}
    return dict(options=AUTOCAST, large=LARGE, by=BY, steps=steps, state=state)


write(__file__, dict(about=ABOUT, scaler=scaler_alone(), autocast=under_autocast()))
