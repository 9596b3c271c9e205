"""Random runs of optimizers and schedules for differential.py. Optimizers are read by tests/optim/all_optimizers.h,
schedules by tests/optim/schedule/schedules.h."""
import random

import torch
from torch.optim import lr_scheduler

from programs import packed

OPTIONS = {
    "SGD": {"momentum": [0.0, 0.9], "weight_decay": [0.0, 0.1], "nesterov": [False], "dampening": [0.0], "maximize": [False, True]},
    "Adam": {"betas": [(0.9, 0.999), (0.5, 0.9)], "eps": [1e-8, 1e-3], "weight_decay": [0.0, 0.1],
             "amsgrad": [False, True], "maximize": [False, True]},
    "AdamW": {"betas": [(0.9, 0.999), (0.5, 0.9)], "weight_decay": [0.0, 0.1], "amsgrad": [False, True]},
    "NAdam": {"weight_decay": [0.0, 0.1], "momentum_decay": [4e-3, 0.1], "decoupled_weight_decay": [False, True]},
    "RAdam": {"weight_decay": [0.0, 0.1], "decoupled_weight_decay": [False, True]},
    "Adamax": {"weight_decay": [0.0, 0.1]},
    "Adagrad": {"lr_decay": [0.0, 0.1], "weight_decay": [0.0, 0.1], "initial_accumulator_value": [0.0, 0.1]},
    "Adadelta": {"rho": [0.9, 0.5], "weight_decay": [0.0, 0.1]},
    "RMSprop": {"alpha": [0.99, 0.5], "weight_decay": [0.0, 0.1], "momentum": [0.0, 0.9], "centered": [False, True]},
    "Rprop": {"etas": [(0.5, 1.2)], "step_sizes": [(1e-6, 50.0)]},
    "ASGD": {"lambd": [1e-4, 0.1], "weight_decay": [0.0, 0.1], "t0": [1e6, 3.0]},
    "Adafactor": {"weight_decay": [0.0, 0.1]},
}


def optimizer():
    torch.set_default_dtype(torch.float64)  # that of the numbers which PyTorch keeps beside the state
    try:
        return optimizer_run(random.choice(list(OPTIONS)))
    finally:
        torch.set_default_dtype(torch.float32)


def optimizer_run(name):
    options = {key: random.choice(values) for key, values in OPTIONS[name].items()} | {"lr": random.choice([0.1, 1e-3])}
    if name == "SGD" and options["momentum"] > 0:
        options["nesterov"] = random.choice([False, True])
    dtype = random.choice([torch.float32, torch.float64, torch.float64])
    size = random.choice([0.01, 1.0, 1.0, 100.0])
    draw = lambda sizes: (torch.randn(sizes, dtype=torch.float64) * size).to(dtype)
    shapes = [random.choice([[], [1], [7], [0, 3], [4, 5], [2, 3, 5], [33]]) for _ in range(2)]
    params = [draw(s).requires_grad_() for s in shapes]
    case = {"kind": "optimizers", "optimizer": name, "options": options, "params": [packed(p) for p in params],
            "grads": []}
    opt = getattr(torch.optim, name)(params, **options)
    for _ in range(random.choice([1, 3, 10])):
        grads = [None if random.random() < 0.1 else draw(s) for s in shapes]
        for p, g in zip(params, grads):
            p.grad = None if g is None else g.clone()
        case["grads"].append([None if g is None else packed(g) for g in grads])
        opt.step()
    return case | {"want": [packed(p) for p in params]}


def schedule():
    number = random.randrange
    name, options = random.choice([
        ("StepLR", {"step_size": number(1, 9), "gamma": 0.3}),
        ("MultiStepLR", {"milestones": sorted(number(0, 30) for _ in range(3)), "gamma": 0.5}),
        ("ConstantLR", {"factor": 0.4, "total_iters": number(1, 9)}),
        ("LinearLR", {"start_factor": 0.2, "end_factor": random.choice([1.0, 0.5]), "total_iters": number(1, 20)}),
        ("ExponentialLR", {"gamma": 0.9}),
        ("PolynomialLR", {"total_iters": number(1, 20), "power": random.choice([1.0, 2.0, 0.5])}),
        ("CosineAnnealingLR", {"T_max": number(1, 20), "eta_min": random.choice([0.0, 0.001])}),
        ("CosineAnnealingWarmRestarts", {"T_0": number(1, 9), "T_mult": number(1, 4), "eta_min": 0.001}),
        ("OneCycleLR", {"max_lr": 0.5, "total_steps": 50, "three_phase": random.choice([False, True]),
                        "anneal_strategy": random.choice(["cos", "linear"])}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": number(1, 9), "step_size_down": number(1, 9),
                      "mode": random.choice(["triangular", "triangular2", "exp_range"]), "gamma": 0.99})])
    params = [torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2)]
    opt = torch.optim.SGD([{"params": [params[0]], "lr": 0.1}, {"params": [params[1]], "lr": 0.01}], momentum=0.9)
    made = getattr(lr_scheduler, name)(opt, **options)
    steps, want = [], []
    jumps = name not in ("OneCycleLR",) and random.random() < 0.5
    # PyTorch's go on from a jump in their own ways; jumps by themselves are its closed forms.
    for _ in range(12):
        at = random.uniform(0, 40) if random.random() < 0.5 else number(0, 40)
        opt.step()
        made.step(at) if jumps else made.step()
        steps.append(at if jumps else None)
        want.append([g["lr"] for g in opt.param_groups])
    return {"kind": "schedules", "schedule": name, "options": options, "steps": steps, "want": want}
