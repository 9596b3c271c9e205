"""Outputs and input gradients of activations, losses and layers, and the numbers behind init."""
import warnings
from itertools import product

import torch
from torch import nn
from torch.nn import functional as F

from trace_io import array, flat, number, tensor, values, write

ABOUT = (
    "'cases': function 'op' of torch.nn.functional (softmax, log_softmax and logsumexp with option 'dim'), called "
    "with 'inputs' by name and 'options'; its 'output'; and 'grads', the gradients of sum(output * coefficients) "
    "with respect to the named inputs, 'coefficients' being given flat, in the output's order. Inputs without a "
    "gradient entry are constants (weights, targets that have none). An array is float64 unless it says otherwise. "
    "'gains': calculate_gain(nonlinearity, param); 'fans': [fan_in, fan_out] of a shape; 'init': for init function "
    "'name' and 'shape', the 'bound' of its uniform or 'std' of its normal distribution; 'exact': init functions "
    "without randomness."
)

warnings.filterwarnings("ignore", message="reduction: 'mean' divides")
cases = []


def case(op, inputs, options=None, differentiable=("input",), function=None):
    """Runs `op` and records it. Inputs named in `differentiable` get a gradient."""
    options = dict(options or {})
    held = {k: v.clone().requires_grad_(k in differentiable and v.is_floating_point()) for k, v in inputs.items()}
    output = (function or getattr(F, op))(**held, **options)
    coefficients = torch.tensor(values(len(cases), max(output.numel(), 1), 0.2, 1.5))[: output.numel()]
    (output.reshape(-1) * coefficients).sum().backward()
    cases.append(
        {
            "op": op,
            "options": {k: number(v) for k, v in options.items()},
            "inputs": {k: array(v) for k, v in held.items()},
            "output": array(output),
            "coefficients": flat(coefficients),
            "grads": {k: flat(v.grad) for k, v in held.items() if v.grad is not None},
        }
    )


def activations():
    # Kinks, saturation and overflow of exp, beside ordinary values.
    points = [0.0, 0.5, -0.5, 1.0, -1.0, 2.75, -3.125, 7.5, -9.0]
    points += [19.5, 21.0, 25.0, -40.0, 40.0, 800.0, -800.0, 1e-9, -1e-9]
    x = torch.tensor(points).reshape(3, 6)
    for op in ("tanh", "sigmoid", "relu", "silu", "leaky_relu", "elu", "gelu", "softplus"):
        case(op, {"input": x}, function=getattr(torch, op) if op in ("tanh", "sigmoid") else None)
    case("leaky_relu", {"input": x}, {"negative_slope": 0.2})
    case("elu", {"input": x}, {"alpha": 0.5})
    case("gelu", {"input": x}, {"approximate": "tanh"})
    for beta, threshold in ((2.0, 20.0), (0.5, 5.0), (3.0, 1.0)):
        case("softplus", {"input": x}, {"beta": beta, "threshold": threshold})
    y = tensor(1, (2, 3, 4), -4, 4)
    for op, dim in product(("softmax", "log_softmax", "logsumexp"), (0, 1, -1)):
        case(op, {"input": y}, {"dim": dim}, function=torch.logsumexp if op == "logsumexp" else None)
    steep = torch.tensor([[1000.0, 999.0, -1000.0], [-5.0, -5.0, -5.0]])
    for op in ("softmax", "log_softmax", "logsumexp"):
        case(op, {"input": steep}, {"dim": 1}, function=torch.logsumexp if op == "logsumexp" else None)


def classification_losses():
    x, labels, weight = tensor(10, (4, 3), -2, 2), torch.tensor([2, 0, 1, 1]), torch.tensor([0.5, 2.0, 1.25])
    image, pixels = tensor(11, (2, 3, 2), -2, 2), torch.tensor([[0, 2], [1, 0]])
    shares = torch.softmax(tensor(12, (4, 3), -1, 1), 1).round(decimals=4)
    image_shares = torch.softmax(tensor(13, (2, 3, 2), -1, 1), 1).round(decimals=4)

    def cross_entropy(rows, target, weighted, **options):
        inputs = {"input": rows, "target": target, **({"weight": weight} if weighted else {})}
        case("cross_entropy", inputs, options, ("input", "target"))

    for reduction, weighted, ignore, smoothing in product(
        ("none", "mean", "sum"), (False, True), (None, 1), (0.0, 0.1)
    ):
        options = {"reduction": reduction, "label_smoothing": smoothing}
        if ignore is not None:
            options["ignore_index"] = ignore
        cross_entropy(x, labels, weighted, **options)
        if ignore is not None:
            cross_entropy(image, pixels, weighted, **options)
        else:
            cross_entropy(x, shares, weighted, **options)
    cross_entropy(x, torch.tensor([2, -100, 1, -100]), False)
    cross_entropy(x, torch.full((4,), -100), False)  # nothing left to average over
    cross_entropy(x, torch.full((4,), -100), False, reduction="sum")
    cross_entropy(x[0], labels[0], False)
    cross_entropy(x[0], shares[0], True, label_smoothing=0.2)
    cross_entropy(image, image_shares, True, label_smoothing=0.1)
    cross_entropy(torch.tensor([[1000.0, 0.0, -1000.0]]), torch.tensor([1]), False)

    logs, image_logs = torch.log_softmax(x, 1).round(decimals=4), torch.log_softmax(image, 1).round(decimals=4)
    for reduction, weighted, ignore in product(("none", "mean", "sum"), (False, True), (-100, 1)):
        extra = {"weight": weight} if weighted else {}
        options = {"reduction": reduction, "ignore_index": ignore}
        case("nll_loss", {"input": logs, "target": labels, **extra}, options)
        if weighted:
            case("nll_loss", {"input": image_logs, "target": pixels, **extra}, options)
    case("nll_loss", {"input": logs[0], "target": labels[0]})


def binary_losses():
    p, z = tensor(20, (3, 4), 0.05, 0.95), tensor(21, (3, 4), -3, 3)
    target = torch.tensor([0, 1, 1, 0.25, 1, 0, 0.5, 0, 0, 1, 0.75, 1]).reshape(3, 4)
    weight, column, positive = tensor(22, (3, 4), 0.2, 2), tensor(23, (3, 1), 0.2, 2), tensor(24, (4,), 0.5, 3)
    both = ("input", "target")
    for reduction in ("none", "mean", "sum"):
        options = {"reduction": reduction}
        for extra in ({}, {"weight": weight}, {"weight": column}):
            case("binary_cross_entropy", {"input": p, "target": target, **extra}, options, both)
            case("binary_cross_entropy_with_logits", {"input": z, "target": target, **extra}, options, both)
            with_positive = {"input": z, "target": target, **extra, "pos_weight": positive}
            case("binary_cross_entropy_with_logits", with_positive, options, both)
    ends, ends_target = torch.tensor([0.0, 1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0, 0.0])
    case("binary_cross_entropy", {"input": ends, "target": ends_target}, {"reduction": "none"})
    far = torch.tensor([1000.0, -1000.0, 1000.0, -1000.0])
    case("binary_cross_entropy_with_logits", {"input": far, "target": ends_target}, {"reduction": "none"})


def regression_losses():
    target = tensor(30, (3, 4), -1, 1)
    gaps = torch.tensor([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.5, 0.25, -0.1, 0.75, 1.5, -3.0]).reshape(3, 4)
    x, both = (target + gaps).round(decimals=4), ("input", "target")
    for reduction in ("none", "mean", "sum"):
        options = {"reduction": reduction}
        case("mse_loss", {"input": x, "target": target}, options, both)
        case("l1_loss", {"input": x, "target": target}, options, both)
        for delta in (1.0, 0.3):
            case("huber_loss", {"input": x, "target": target}, {**options, "delta": delta}, both)
        for beta in (1.0, 0.3, 0.0):
            case("smooth_l1_loss", {"input": x, "target": target}, {**options, "beta": beta}, both)
    # Differences that floating point holds exactly: at the kink, delta and beta themselves.
    exact, zero = torch.tensor([0.0, 0.5, -0.5, 1.0, -1.0, 2.0]), torch.zeros(6)
    for op, options in (("huber_loss", {"delta": 0.5}), ("smooth_l1_loss", {"beta": 0.5}), ("l1_loss", {})):
        case(op, {"input": exact, "target": zero}, {"reduction": "none", **options})


def distribution_losses():
    logs = torch.log_softmax(tensor(40, (3, 4), -2, 2), 1).round(decimals=4)
    share = torch.softmax(tensor(41, (3, 4), -2, 2), 1).round(decimals=4)
    for reduction, log_target in product(("none", "mean", "sum", "batchmean"), (False, True)):
        target = share.log().round(decimals=4) if log_target else share
        case("kl_div", {"input": logs, "target": target}, {"reduction": reduction, "log_target": log_target},
             ("input", "target"))  # fmt: skip
    case("kl_div", {"input": logs, "target": torch.eye(3, 4)}, {"reduction": "none"})
    a, b, sign = tensor(42, (4, 3), -1, 1), tensor(43, (4, 3), -1, 1), torch.tensor([1, -1, 1, -1])
    b[3] = (a[3] * 0.5 + 0.1).round(decimals=4)
    for reduction, margin in product(("none", "mean", "sum"), (0.0, 0.3, -0.5)):
        options = {"reduction": reduction, "margin": margin}
        case("cosine_embedding_loss", {"input1": a, "input2": b, "target": sign}, options, ("input1", "input2"))
    case("cosine_embedding_loss", {"input1": a[3], "input2": b[3], "target": sign[3]}, {}, ("input1", "input2"))


def layers():
    every = ("input", "input1", "input2", "weight", "bias")
    weight, bias = tensor(50, (2, 3)), tensor(51, (2,))
    for shape in ((3,), (4, 3), (2, 2, 3)):
        case("linear", {"input": tensor(52, shape), "weight": weight, "bias": bias}, {}, every)
    case("linear", {"input": tensor(52, (4, 3)), "weight": weight}, {}, every)
    pair = {"input1": tensor(53, (4, 3)), "input2": tensor(54, (4, 2)), "weight": tensor(55, (5, 3, 2))}
    case("bilinear", {**pair, "bias": tensor(56, (5,))}, {}, every)
    case("bilinear", pair, {}, every)
    index, table = torch.tensor([[0, 2, 2], [4, 1, 0]]), tensor(57, (5, 3))
    case("embedding", {"input": index, "weight": table}, {}, every)
    case("embedding", {"input": index, "weight": table}, {"padding_idx": 2}, every)
    case("embedding", {"input": index, "weight": table}, {"scale_grad_by_freq": True}, every)


def gains():
    kinds = [(k, None) for k in ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                                 "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")]  # fmt: skip
    kinds += [("leaky_relu", p) for p in (0.0, 0.2, 1.0)]
    return [{"nonlinearity": k, "param": p, "gain": nn.init.calculate_gain(k, p)} for k, p in kinds]


SHAPES = [[8, 3], [1, 5], [16, 4, 3], [16, 4, 3, 3], [6, 2, 1, 2, 3]]


def fans():
    return [{"shape": s, "fans": list(nn.init._calculate_fan_in_and_fan_out(torch.empty(s)))} for s in SHAPES]


def init_numbers():
    """Asks PyTorch itself: the uniform and normal draws are replaced by ones that report their parameters."""
    rows = []
    original = torch.Tensor.uniform_, torch.Tensor.normal_
    asked = {}

    def uniform(self, a=0.0, b=1.0, generator=None):
        asked["bound"] = b
        assert a == -b
        return self

    def normal(self, mean=0.0, std=1.0, generator=None):
        asked["std"] = std
        assert mean == 0
        return self

    torch.Tensor.uniform_, torch.Tensor.normal_ = uniform, normal

    def ask(name, shape, **options):
        asked.clear()
        getattr(nn.init, name)(torch.empty(shape), **options)
        rows.append({"name": name, "shape": shape, "options": options, **asked})

    try:
        for shape in SHAPES:
            for name, gain in product(("xavier_uniform_", "xavier_normal_"), (1.0, 5.0 / 3)):
                ask(name, shape, gain=gain)
            for name, mode, (nonlinearity, a) in product(
                ("kaiming_uniform_", "kaiming_normal_"),
                ("fan_in", "fan_out"),
                (("leaky_relu", 0.0), ("leaky_relu", 5**0.5), ("relu", 0.0), ("tanh", 0.0)),
            ):
                ask(name, shape, a=a, mode=mode, nonlinearity=nonlinearity)
        for name, module in (
            ("Linear.weight and bias", lambda: nn.Linear(7, 3)),
            ("Bilinear.weight and bias", lambda: nn.Bilinear(5, 4, 3)),
            ("Embedding.weight", lambda: nn.Embedding(6, 4)),
        ):
            asked.clear()
            shape = list(module().weight.shape)
            rows.append({"name": name, "shape": shape, "options": {}, **asked})
    finally:
        torch.Tensor.uniform_, torch.Tensor.normal_ = original
    return rows


def exact():
    rows = []
    for shape in ([3, 2], [2, 4]):
        rows.append({"name": "eye_", "shape": shape, "options": {}, "data": flat(nn.init.eye_(torch.empty(shape)))})
    for shape, groups in product(([4, 2, 3], [2, 4, 2, 3], [2, 1, 1, 3, 3]), (1, 2)):
        t = nn.init.dirac_(torch.empty(shape), groups)
        rows.append({"name": "dirac_", "shape": shape, "options": {"groups": groups}, "data": flat(t)})
    return rows


def main():
    activations()
    classification_losses()
    binary_losses()
    regression_losses()
    distribution_losses()
    layers()
    write(
        __file__,
        {
            "about": ABOUT,
            "cases": cases,
            "gains": gains(),
            "fans": fans(),
            "init": init_numbers(),
            "exact": exact(),
        },
    )
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
