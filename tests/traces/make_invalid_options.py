"""Options that PyTorch's optimizers and schedules refuse with a ValueError."""
import torch
from torch.optim import lr_scheduler

from trace_io import number, write

ABOUT = (
    "Each of 'optimizers' is refused at construction (by PyTorch with a ValueError) over one float64 parameter of "
    "shape [2,2], other options at their defaults; 'param_shape' where the shape itself is what is refused. The "
    "same for 'schedules' over SGD with one group, lr 0.1. 'nan' and 'inf' are those numbers. PyTorch lets most "
    "infinite options and some NaN ones pass, so they are not all here."
)

NAN = float("nan")
NEGATIVE = {  # options that must not be negative
    "SGD": ("lr", "momentum", "weight_decay"),
    "Adam": ("lr", "eps", "weight_decay"),
    "AdamW": ("lr", "eps", "weight_decay"),
    "NAdam": ("lr", "eps", "weight_decay", "momentum_decay"),
    "RAdam": ("lr", "eps", "weight_decay"),
    "Adamax": ("lr", "eps", "weight_decay"),
    "Adagrad": ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"),
    "Adadelta": ("lr", "rho", "eps", "weight_decay"),
    "RMSprop": ("lr", "eps", "momentum", "weight_decay", "alpha"),
    "Rprop": ("lr",),
    "ASGD": ("lr", "weight_decay"),
    "Adafactor": ("lr", "weight_decay"),
    "SparseAdam": ("lr", "eps"),
    "LBFGS": ("lr",),
    "Muon": ("lr", "momentum", "weight_decay"),
}
BETAS = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "SparseAdam")
OTHER = {
    "SGD": [
        {"nesterov": True},
        {"nesterov": True, "momentum": 0.0},
        {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
    ],
    "Adadelta": [{"rho": 1.1}],
    "Rprop": [{"etas": etas} for etas in ((0.0, 1.2), (-0.5, 1.2), (1.0, 1.2), (0.5, 1.0), (0.5, 0.9), (NAN, 1.2),
                                          (0.5, NAN))],
    "Adafactor": [{"beta2_decay": 0.1}, {"beta2_decay": NAN}, {"eps": (-1e-3, 1e-3)}, {"eps": (None, -1e-3)},
                  {"eps": (NAN, 1e-3)}, {"eps": (None, NAN)}, {"d": 0.5}, {"d": -1.0}, {"d": NAN}],
    "SparseAdam": [{"lr": 0.0}, {"eps": 0.0}],
    "Muon": [{"adjust_lr_fn": "other"}],
}  # fmt: skip
SHAPES = {"Muon": [[3], [2, 2, 2], [1]]}
SCHEDULES = [
    ("ConstantLR", {"factor": 1.5}),
    ("ConstantLR", {"factor": -0.5}),
    ("LinearLR", {"start_factor": 0.0}),
    ("LinearLR", {"start_factor": -0.5}),
    ("LinearLR", {"start_factor": 1.5}),
    ("LinearLR", {"end_factor": 1.5}),
    ("LinearLR", {"end_factor": -0.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}),
    ("CosineAnnealingWarmRestarts", {"T_0": -3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 0}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "mode": "other"}),
    ("CyclicLR", {"base_lr": [0.01, 0.02], "max_lr": 0.1}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": [0.1, 0.2]}),
    ("OneCycleLR", {"max_lr": 0.1}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 0}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": -1}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 0, "steps_per_epoch": 10}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 3, "steps_per_epoch": 0}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": -0.1}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": 1.1}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "anneal_strategy": "other"}),
    ("OneCycleLR", {"max_lr": [0.1, 0.2], "total_steps": 10}),
    ("ReduceLROnPlateau", {"factor": 1.0}),
    ("ReduceLROnPlateau", {"mode": "other"}),
    ("ReduceLROnPlateau", {"threshold_mode": "other"}),
    ("ReduceLROnPlateau", {"min_lr": [0.1, 0.2]}),
]


def optimizer_cases():
    for name, options in NEGATIVE.items():
        for option in options:
            yield name, {option: -0.1}, None
            if name != "SGD":  # whose checks a NaN passes
                yield name, {option: NAN}, None
        if name in BETAS:
            for beta in (1.0, -0.1, 1.5, NAN):
                yield name, {"betas": (beta, 0.999)}, None
                yield name, {"betas": (0.9, beta)}, None
        for other in OTHER.get(name, ()):
            yield name, other, None
        for shape in SHAPES.get(name, ()):
            yield name, {}, shape


def refused(make):
    try:
        make()
    except ValueError:
        return True
    return False


def plain(options):
    return {k: [number(x) for x in v] if isinstance(v, (tuple, list)) else number(v) for k, v in options.items()}


def main():
    optimizers = []
    for name, options, shape in optimizer_cases():
        parameter = torch.zeros(shape or [2, 2], requires_grad=True)
        assert refused(lambda: getattr(torch.optim, name)([parameter], **options)), (name, options)
        shown = {"param_shape": shape} if shape else {}
        optimizers.append({"optimizer": name, "options": plain(options), **shown})
    schedules = []
    for name, options in SCHEDULES:
        sgd = torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.1, momentum=0.9)
        assert refused(lambda: getattr(lr_scheduler, name)(sgd, **options)), (name, options)
        schedules.append({"schedule": name, "options": plain(options)})
    write(__file__, {"about": ABOUT, "optimizers": optimizers, "schedules": schedules})


if __name__ == "__main__":
    main()
