"""Parameters under every optimizer of PyTorch and every combination of its options, over 1,001 steps; LBFGS over 30."""
import math
from itertools import product

import torch

from trace_io import array, flat, number, tensor, write

STEPS = 1001
LATE = 50
SIGNIFICANT = 12
# Forced strongly, and Muon slowly enough to pass its momentum: near rest the adaptive rules are chaotic.
FREQUENCY = {"parameters": 0.7, "matrices": 0.07}

# name, shape, group; what is special about it
PARAMETERS = [
    ("a", [3, 4], 0, None),
    ("b", [5], 0, None),
    ("frozen", [2], 0, "frozen"),
    ("c", [2, 2, 2], 1, None),
    ("d", [1], 1, None),
    ("late", [2, 2], 1, "late"),
]
MATRICES = [
    ("a", [3, 4], 0, None),
    ("b", [4, 2], 0, None),
    ("frozen", [2, 2], 0, "frozen"),
    ("c", [3, 3], 1, None),
    ("late", [1, 3], 1, "late"),
]

ABOUT = (
    "Each case runs over 'parameters' ('matrices' for Muon), of two groups: group 0 has the case's 'options', group "
    "1 the same overridden by 'override'; options not named have PyTorch's defaults. Before step t = 0..1000 "
    "element i of the parameter at position k in the list gets the gradient g = p - target + 0.3*sin(3*p) + cos(w*t "
    "+ i + 10*k), w being the list's 'frequency', or -g when the case's options have maximize true. The parameter "
    "'frozen' never has a gradient; 'late' has none before step t = 50. samples[j] holds all elements, of all "
    "parameters but the frozen one in the list's order, after step t = 100*j (j = 0..10), rounded to 12 significant "
    "digits. 'averages' (ASGD): state ax after the last step, in the same order. Muon's 'newton_schulz' says in "
    "which type the iteration ran: PyTorch always takes bfloat16, whose rounding magnifies the order of a sum, so "
    "that other code can follow those traces only roughly; in the float64 traces nothing but that type was changed. "
    "'lbfgs': parameters x of shape [2,3] and y of [2], z = all 8 elements, loss = sum_i 0.5*c_i*(z_i - target_i)^2 "
    "+ 0.5*sin(z_i*z_(i+1 mod 8)) with c, target, start given; for each of 30 steps [loss that step() returned, "
    "func_evals so far, n_iter so far] and z after the step."
)

ON_OFF = (False, True)
DECAY = (0, 0.01)


def table():
    """name -> (options of every case, options taken in full product, one other value of each continuous option)"""
    betas = {"betas": (0.8, 0.95)}
    adam = [{"lr": 0.003}, betas, {"eps": 1e-3}, {"weight_decay": 0.1}]
    usual = {"maximize": ON_OFF, "weight_decay": DECAY}
    decoupled = {**usual, "decoupled_weight_decay": ON_OFF}
    return {
        "SGD": (
            {"lr": 0.05},
            {**usual, "momentum": (0, 0.9), "nesterov": ON_OFF},
            [{"lr": 0.01}, {"momentum": 0.5}, {"momentum": 0.9, "dampening": 0.3}, {"weight_decay": 0.1}],
        ),
        "Adam": ({"lr": 0.01}, {**decoupled, "amsgrad": ON_OFF}, adam),
        "AdamW": ({"lr": 0.01}, {**usual, "amsgrad": ON_OFF}, adam),
        "NAdam": ({"lr": 0.01}, decoupled, adam + [{"momentum_decay": 0.02}]),
        "RAdam": ({"lr": 0.01}, decoupled, adam),
        "Adamax": ({"lr": 0.01}, usual, adam),
        "Adagrad": (
            {"lr": 0.1},
            usual,
            [{"lr": 0.02}, {"lr_decay": 0.01}, {"initial_accumulator_value": 0.1}, {"eps": 1e-3},
             {"weight_decay": 0.1}],
        ),
        "Adadelta": ({"lr": 1.0}, usual, [{"lr": 0.5}, {"rho": 0.95}, {"eps": 1e-4}, {"weight_decay": 0.1}]),
        "RMSprop": (
            {"lr": 0.01},
            {**usual, "centered": ON_OFF, "momentum": (0, 0.9)},
            [{"lr": 0.003}, {"alpha": 0.9}, {"eps": 1e-3}, {"momentum": 0.5}, {"weight_decay": 0.1}],
        ),
        "Rprop": (
            {"lr": 0.01},
            {"maximize": ON_OFF},
            [{"lr": 0.1}, {"etas": (0.4, 1.3)}, {"step_sizes": (1e-4, 0.05)}],
        ),
        "ASGD": (
            {"lr": 0.05},
            {**usual, "t0": (1e6, 100.0)},
            [{"lr": 0.01}, {"lambd": 1e-2}, {"alpha": 0.5, "t0": 100.0}, {"weight_decay": 0.1}],
        ),
        "Adafactor": (
            {"lr": 0.01},
            usual,
            [{"lr": 0.05}, {"beta2_decay": -0.5}, {"eps": (1e-2, 1e-3)}, {"eps": (None, 0.5)}, {"d": 2.0},
             {"weight_decay": 0.1}],
        ),
        "Muon": (
            {"lr": 0.01},
            {"nesterov": ON_OFF, "adjust_lr_fn": (None, "original", "match_rms_adamw"), "weight_decay": (0, 0.1)},
            [{"lr": 0.005}, {"momentum": 0.8}, {"ns_coefficients": (3.0, -4.0, 1.8)}, {"eps": 0.1}, {"ns_steps": 3}],
        ),
    }  # fmt: skip


def legal(options):
    return not (options.get("nesterov") and "dampening" not in options and options.get("momentum", 1) == 0)


def cases():
    for name, (base, products, others) in table().items():
        for combination in product(*products.values()):
            options = {**base, **dict(zip(products, combination))}
            if name == "Muon" or legal(options):
                yield name, options
        for other in others:
            yield name, {**base, **other}


def override(name, options):
    """The second group's own options: half the rate, and decay switched the other way."""
    changed = {"lr": options["lr"] / 2}
    if name == "Rprop":
        return {**changed, "etas": (0.3, 1.1)}
    return {**changed, "weight_decay": 0.02 if options.get("weight_decay") == 0 else 0}


def start(layout):
    return [tensor(400 + k, shape) for k, (_, shape, _, _) in enumerate(layout)]


def targets(layout):
    return [tensor(500 + k, shape, 0.3, 1.5) for k, (_, shape, _, _) in enumerate(layout)]


def run(name, options, nudge=0.0):
    layout = MATRICES if name == "Muon" else PARAMETERS
    frequency = FREQUENCY["matrices" if name == "Muon" else "parameters"]
    params = [(p * (1 + nudge)).requires_grad_() for p in start(layout)]
    goals = targets(layout)
    index = [torch.arange(p.numel(), dtype=torch.float64).reshape(p.shape) for p in params]
    groups = [{"params": [p for p, row in zip(params, layout) if row[2] == g]} for g in (0, 1)]
    groups[1].update(override(name, options))
    plain = {} if name == "Muon" else {"foreach": False}
    optimizer = getattr(torch.optim, name)(groups, **plain, **options)
    sign = -1 if options.get("maximize") else 1
    moving = [p for p, row in zip(params, layout) if row[3] != "frozen"]
    samples = []
    for t in range(STEPS):
        for k, (p, row) in enumerate(zip(params, layout)):
            if row[3] == "frozen" or (row[3] == "late" and t < LATE):
                continue
            q = p.detach()
            p.grad = sign * (q - goals[k] + 0.3 * torch.sin(3 * q) + torch.cos(frequency * t + index[k] + 10 * k))
        optimizer.step()
        if t % 100 == 0:
            samples.append(torch.cat([p.detach().reshape(-1) for p in moving]).clone())
    averages = [optimizer.state[p]["ax"] for p in moving] if name == "ASGD" else None
    return samples, None if averages is None else torch.cat([x.reshape(-1) for x in averages])


def rounded(t):
    return [number(float(f"{x:.{SIGNIFICANT}g}")) for x in t.tolist()]


def record(name, options):
    samples, averages = run(name, options)
    nudged, _ = run(name, options, 1e-15)
    # A trace that magnified rounding could not be replayed to 1e-9 by other code.
    spread = max(((a - b).abs() / a.abs().clamp(min=1e-3)).max().item() for a, b in zip(samples, nudged))
    assert spread < 1e-11 and all(torch.isfinite(s).all() for s in samples), (name, options, spread)
    entry = {"optimizer": name, "options": options, "override": override(name, options)}
    entry["samples"] = [rounded(s) for s in samples]
    if averages is not None:
        entry["averages"] = rounded(averages)
    return entry


def muon_in_float64(action):
    """Runs `action` with the type of Muon's iteration, and nothing else, changed."""
    original = torch.Tensor.bfloat16
    torch.Tensor.bfloat16 = lambda self: self.clone()
    try:
        return action()
    finally:
        torch.Tensor.bfloat16 = original


CURVATURE = [1.0, 2.0, 0.5, 4.0, 1.5, 3.0, 0.8, 2.5]
LBFGS_TARGET = [0.5, -1.2, 0.8, 0.3, -0.7, 1.1, 0.9, -0.4]
LBFGS_START = [-1.0, 0.6, 1.4, -0.9, 0.2, -1.3, 0.1, 1.6]


def lbfgs_cases():
    for search in (None, "strong_wolfe"):
        for options in (
            {"lr": 0.1},
            {"lr": 0.3, "max_iter": 3},
            {"lr": 0.3, "max_iter": 1},
            {"lr": 0.2, "max_iter": 4, "history_size": 2},
            {"lr": 0.2, "max_iter": 6, "max_eval": 3},
            {"lr": 0.1, "tolerance_grad": 1e-2},
            {"lr": 0.1, "tolerance_change": 1e-3},
        ):
            yield {**options, "line_search_fn": search}
    yield {"lr": 1.0, "max_iter": 2, "line_search_fn": "strong_wolfe"}


def lbfgs(options, nudge=0.0):
    z = torch.tensor(LBFGS_START) * (1 + nudge)
    x, y = z[:6].clone().reshape(2, 3).requires_grad_(), z[6:].clone().requires_grad_()
    c, goal = torch.tensor(CURVATURE), torch.tensor(LBFGS_TARGET)
    optimizer = torch.optim.LBFGS([x, y], **options)

    def closure():
        optimizer.zero_grad()
        z = torch.cat([x.reshape(-1), y])
        loss = (0.5 * c * (z - goal) ** 2 + 0.5 * torch.sin(z * z.roll(-1))).sum()
        loss.backward()
        return loss

    course, points = [], []
    for _ in range(30):
        loss = optimizer.step(closure).item()
        state = optimizer.state[x]
        course.append([loss, state["func_evals"], state["n_iter"]])
        points.append(torch.cat([x.detach().reshape(-1), y.detach()]))
    return course, points


def record_lbfgs(options):
    course, points = lbfgs(options)
    assert math.isfinite(course[-1][0])
    for nudge in (1e-15, -3e-15, 1e-14):
        nudged, nudged_points = lbfgs(options, nudge)
        spread = max(((a - b).abs() / a.abs()).max().item() for a, b in zip(points, nudged_points))
        counts_agree = all(a[1:] == b[1:] for a, b in zip(course, nudged))
        assert spread < 1e-10 and counts_agree, (options, spread, counts_agree)
    return {"options": options, "steps": course, "samples": [rounded(p) for p in points]}


def describe(layout):
    rows = zip(layout, start(layout), targets(layout))
    return [
        {"name": name, "group": group, "special": special, **array(p), "target": flat(target)}
        for (name, _, group, special), p, target in rows
    ]


def main():
    recorded = []
    for name, options in cases():
        if name == "Muon":
            entry = muon_in_float64(lambda: record(name, options))
            recorded.append({"newton_schulz": "float64", **entry})
        else:
            recorded.append(record(name, options))
    for options in ({"lr": 0.01}, {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw"}):
        samples, _ = run("Muon", options)
        entry = {"newton_schulz": "bfloat16", "optimizer": "Muon", "options": options}
        recorded.append({**entry, "override": override("Muon", options), "samples": [rounded(s) for s in samples]})
    write(
        __file__,
        {
            "about": ABOUT,
            "parameters": describe(PARAMETERS),
            "matrices": describe(MATRICES),
            "frequency": FREQUENCY,
            "cases": recorded,
            "lbfgs_problem": {"c": CURVATURE, "target": LBFGS_TARGET, "start": LBFGS_START},
            "lbfgs": [record_lbfgs(options) for options in lbfgs_cases()],
        },
    )
    print(len(recorded), "cases")


if __name__ == "__main__":
    main()
