"""Learning rates (and cycled momenta) under every schedule of PyTorch, over 1,000 steps."""
import math

import torch
from torch.optim import lr_scheduler

from trace_io import number, write

STEPS = 1000
KEPT = list(range(120)) + list(range(120, STEPS, 20)) + [STEPS - 1]

ABOUT = (
    "Each case binds a schedule to an optimizer of two groups with lr 0.1 and 0.01: SGD with momentum 0.9, or Adam "
    "with betas (0.9, 0.999). 'lr'[g][j] is group g's rate after steps[j] calls of scheduler.step(), steps[0] = 0 "
    "being the state right after construction; 'momentum' (SGD) or 'beta1' (Adam) likewise, in the cases that cycle "
    "it. Functions: LambdaLR multiplies the base rate by 0.95^floor(t/10) in group 0 and 1/(1+0.01*t) in group 1; "
    "MultiplicativeLR the last rate by 0.999 at odd t and 0.9995 at even t; 'scale_fn' \"1/(5x)\" and \"0.5^x\" are of "
    "CyclicLR's cycle number or iteration. ReduceLROnPlateau: the call number t = 1, 2, ... gets "
    "metrics[name][t-1]. SequentialLR and ChainedScheduler: 'schedules', bound in that order. PyTorch computes many "
    "schedules by recursion, so compare within 1e-9 of the base rate: where the closed form is 0 it may leave "
    "1e-18. Rates are rounded to 13 significant digits."
)


def metric(t):
    """Falls in stages, with bumps, rises at the end."""
    stage = 2.0 * 0.5 ** (t // 150) + 0.002 * math.sin(0.9 * t) + 0.3 * math.exp(-(t % 150) / 12)
    return round(stage + (0.001 * (t - 700) if t > 700 else 0), 4)


METRICS = {"loss": [metric(t) for t in range(STEPS)]}
METRICS["accuracy"] = [round(3.0 - m, 4) for m in METRICS["loss"]]
METRICS["signed"] = [round(m - 1.0, 4) for m in METRICS["loss"]]

LAMBDAS = [lambda t: 0.95 ** (t // 10), lambda t: 1 / (1 + 0.01 * t)]
FUNCTIONS = {
    "LambdaLR": {"lr_lambda": LAMBDAS},
    "MultiplicativeLR": {"lr_lambda": lambda t: 0.999 if t % 2 else 0.9995},
}
SCALES = {"1/(5x)": lambda x: 1 / (5 * x), "0.5^x": lambda x: 0.5**x}


def cases():
    """(schedule, options, optimizer)"""
    plain = [
        ("LambdaLR", {}),
        ("MultiplicativeLR", {}),
        ("StepLR", {"step_size": 30}),
        ("StepLR", {"step_size": 7, "gamma": 0.97}),
        ("MultiStepLR", {"milestones": [30, 80, 500]}),
        ("MultiStepLR", {"milestones": [10, 10, 45, 700], "gamma": 0.5}),
        ("ConstantLR", {}),
        ("ConstantLR", {"factor": 0.25, "total_iters": 60}),
        ("ConstantLR", {"factor": 1.0, "total_iters": 0}),
        ("LinearLR", {}),
        ("LinearLR", {"start_factor": 0.01, "end_factor": 0.5, "total_iters": 90}),
        ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 100}),
        ("ExponentialLR", {"gamma": 0.99}),
        ("ExponentialLR", {"gamma": 1.001}),
        ("PolynomialLR", {}),
        ("PolynomialLR", {"total_iters": 100, "power": 2.0}),
        ("PolynomialLR", {"total_iters": 900, "power": 0.5}),
        ("CosineAnnealingLR", {"T_max": 1000}),
        ("CosineAnnealingLR", {"T_max": 50, "eta_min": 0.001}),
        ("CosineAnnealingLR", {"T_max": 100}),
        ("CosineAnnealingWarmRestarts", {"T_0": 25}),
        ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 2, "eta_min": 0.001}),
    ]
    yield from ((name, options, "SGD") for name, options in plain)

    limits = {"base_lr": [0.01, 0.001], "max_lr": [0.1, 0.02]}
    for mode in ("triangular", "triangular2", "exp_range"):
        gamma = {"gamma": 0.995} if mode == "exp_range" else {}
        yield "CyclicLR", {**limits, "step_size_up": 20, "mode": mode, "cycle_momentum": False, **gamma}, "SGD"
        yield "CyclicLR", {**limits, "step_size_up": 15, "step_size_down": 40, "mode": mode, **gamma}, "SGD"
        momenta = {"base_momentum": 0.7, "max_momentum": [0.95, 0.9]}
        yield "CyclicLR", {**limits, "step_size_up": 25, "mode": mode, **momenta, **gamma}, "Adam"
    scaled = {**limits, "step_size_up": 20, "cycle_momentum": False}
    yield "CyclicLR", {**scaled, "scale_fn": "1/(5x)", "scale_mode": "cycle"}, "SGD"
    yield "CyclicLR", {**scaled, "scale_fn": "0.5^x", "scale_mode": "iterations"}, "SGD"

    for strategy in ("cos", "linear"):
        for three_phase in (False, True):
            options = {"anneal_strategy": strategy, "three_phase": three_phase}
            yield "OneCycleLR", {"max_lr": [0.5, 0.05], "total_steps": 1000, **options}, "SGD"
    short = {"max_lr": 0.2, "epochs": 20, "steps_per_epoch": 50, "pct_start": 0.1, "div_factor": 10.0,
             "final_div_factor": 100.0}  # fmt: skip
    yield "OneCycleLR", {**short, "base_momentum": 0.8, "max_momentum": [0.99, 0.9]}, "Adam"
    yield "OneCycleLR", {**short, "cycle_momentum": False, "three_phase": True}, "SGD"

    for metrics, mode in (("loss", "min"), ("accuracy", "max"), ("signed", "min")):
        for threshold_mode in ("rel", "abs"):
            yield "ReduceLROnPlateau", {"metrics": metrics, "mode": mode, "threshold_mode": threshold_mode}, "SGD"
    for options in (
        {"patience": 3, "cooldown": 5, "factor": 0.7},
        {"patience": 0, "threshold": 0.05, "factor": 0.9, "min_lr": [1e-3, 5e-4]},
        {"patience": 5, "cooldown": 2, "min_lr": 0.005, "factor": 0.5, "threshold": 0.01, "threshold_mode": "abs"},
        {"patience": 2, "factor": 0.5, "eps": 1e-3},
    ):
        yield "ReduceLROnPlateau", {"metrics": "loss", **options}, "SGD"

    warm = ["LinearLR", {"start_factor": 0.1, "total_iters": 20}]
    cosine = ["CosineAnnealingLR", {"T_max": 80, "eta_min": 0.001}]
    # Chained, PyTorch's cosine is a factor only without eta_min and up to T_max; its LambdaLR never is.
    long_cosine = ["CosineAnnealingLR", {"T_max": 1000}]
    decay = ["ExponentialLR", {"gamma": 0.99}]
    ten = ["ConstantLR", {"factor": 0.1, "total_iters": 10}]
    half = ["ConstantLR", {"factor": 0.5, "total_iters": 40}]
    polynomial = ["PolynomialLR", {"total_iters": 50}]
    milestones = ["MultiStepLR", {"milestones": [50, 400], "gamma": 0.3}]
    for schedules, at in (
        ([warm, cosine], [20]),
        ([warm, cosine, decay], [20, 100]),
        ([ten, decay], [10]),
        ([decay, ["StepLR", {"step_size": 20}], polynomial], [30, 90]),
    ):
        yield "SequentialLR", {"schedules": schedules, "milestones": at}, "SGD"
    for schedules in (
        [warm, decay],
        [half, ["StepLR", {"step_size": 25}], ["MultiplicativeLR", {}]],
        [warm, milestones, long_cosine],
    ):
        yield "ChainedScheduler", {"schedules": schedules}, "SGD"


def build(name, options, optimizer):
    options = {k: SCALES[v] if k == "scale_fn" else v for k, v in options.items() if k != "metrics"}
    options |= FUNCTIONS.get(name, {})
    if "schedules" in options:
        inner = [build(*entry, optimizer) for entry in options.pop("schedules")]
        if name == "SequentialLR":
            return lr_scheduler.SequentialLR(optimizer, inner, **options)
        return lr_scheduler.ChainedScheduler(inner, optimizer)
    return getattr(lr_scheduler, name)(optimizer, **options)


def course(name, options, kind):
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.1, 0.01)]
    optimizer = torch.optim.SGD(groups, momentum=0.9) if kind == "SGD" else torch.optim.Adam(groups)
    scheduler = build(name, options, optimizer)
    momentum = (lambda g: g["momentum"]) if kind == "SGD" else (lambda g: g["betas"][0])
    rates, momenta = ([], []), ([], [])
    for t in range(STEPS):
        for i, group in enumerate(optimizer.param_groups):
            rates[i].append(float(group["lr"]))
            momenta[i].append(float(momentum(group)))
        optimizer.step()
        if "metrics" in options:
            scheduler.step(METRICS[options["metrics"]][t])
        elif t + 1 < STEPS:
            scheduler.step()
    return rates, momenta


def kept(rows):
    return [[number(float(f"{row[t]:.13g}")) for t in KEPT] for row in rows]


def main():
    recorded = []
    for name, options, kind in cases():
        rates, momenta = course(name, options, kind)
        entry = {"schedule": name, "options": options, "optimizer": kind, "lr": kept(rates)}
        if name in ("CyclicLR", "OneCycleLR") and options.get("cycle_momentum", True):
            entry["momentum" if kind == "SGD" else "beta1"] = kept(momenta)
        recorded.append(entry)
    write(__file__, {"about": ABOUT, "steps": KEPT, "metrics": METRICS, "cases": recorded})
    print(len(recorded), "cases")


if __name__ == "__main__":
    main()
