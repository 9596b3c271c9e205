"""Parametrizations: names, values and training, as torch.nn.utils.parametrize has them."""
import torch
from torch import nn
from torch.nn.utils import parametrizations as P
from torch.nn.utils import parametrize

from formula import uniform
from trace_io import array, write

ABOUT = (
    "'cases': 'name' (tests/nn/parametrize_test.cpp makes the same module), 'repr', 'state': the state dict before "
    "training, 'steps' steps of SGD with rate 0.1 on sum(module(x) * y), x and y being formula.py's of the sizes 'x' and "
    "'y'; 'losses', and 'after': the state dict. 'weight' is the parameter before training. 'older': state dicts of the "
    "older torch.nn.utils.weight_norm and spectral_norm, in evaluation, and the parameter they stand for. All float64."
)


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x):
        return x.triu()


def symmetric(module):
    parametrize.register_parametrization(module, "weight", Symmetric())
    return module


def composed(module):
    symmetric(module)
    parametrize.register_parametrization(module, "weight", P._SpectralNorm(module.weight, 1, 0, 1e-12))
    return module


LINE, IMAGE = (2, 4, 6), (2, 4, 5, 4)
CASES = {
    "weight_norm": (lambda: P.weight_norm(nn.Linear(4, 3)), (5, 4)),
    "weight_norm_all": (lambda: P.weight_norm(nn.Linear(4, 3), dim=None), (5, 4)),
    "weight_norm_columns": (lambda: P.weight_norm(nn.Linear(4, 3), dim=1), (5, 4)),
    "weight_norm_conv": (lambda: P.weight_norm(nn.Conv2d(4, 3, 3, bias=False)), IMAGE),
    "weight_norm_bias": (lambda: P.weight_norm(nn.Linear(4, 3), "bias"), (5, 4)),
    "spectral_norm": (lambda: P.spectral_norm(nn.Linear(4, 3)), (5, 4)),
    "spectral_norm_eval": (lambda: P.spectral_norm(nn.Linear(4, 3)).eval(), (5, 4)),
    "spectral_norm_more": (lambda: P.spectral_norm(nn.Conv1d(4, 3, 3), n_power_iterations=3, eps=1e-6), LINE),
    "spectral_norm_transposed": (lambda: P.spectral_norm(nn.ConvTranspose1d(4, 3, 2)), LINE),
    "spectral_norm_bias": (lambda: P.spectral_norm(nn.Linear(4, 3), "bias"), (5, 4)),
    "orthogonal": (lambda: P.orthogonal(nn.Linear(4, 4)), (5, 4)),
    "orthogonal_cayley": (lambda: P.orthogonal(nn.Linear(4, 4), orthogonal_map="cayley"), (5, 4)),
    "orthogonal_tall": (lambda: P.orthogonal(nn.Linear(4, 6)), (5, 4)),
    "orthogonal_wide": (lambda: P.orthogonal(nn.Linear(4, 2)), (5, 4)),
    "orthogonal_tall_exp": (lambda: P.orthogonal(nn.Linear(4, 6), orthogonal_map="matrix_exp"), (5, 4)),
    "orthogonal_plain": (lambda: P.orthogonal(nn.Linear(4, 6), use_trivialization=False), (5, 4)),
    "orthogonal_plain_cayley": (
        lambda: P.orthogonal(nn.Linear(4, 2), orthogonal_map="cayley", use_trivialization=False), (5, 4)),
    "orthogonal_stack": (lambda: P.orthogonal(nn.Conv1d(4, 3, 2)), LINE),
    "symmetric": (lambda: symmetric(nn.Linear(4, 4)), (5, 4)),
    "composed": (lambda: composed(nn.Linear(4, 4)), (5, 4)),
}
OLDER = {
    "weight_norm": (lambda: nn.utils.weight_norm(nn.Linear(4, 3)), "weight"),
    "spectral_norm": (lambda: nn.utils.spectral_norm(nn.Conv1d(4, 3, 2)), "weight"),
}
STEPS = 4


def state(module):
    return {k: array(v) for k, v in module.state_dict().items()}


def case(name, make, sizes):
    torch.manual_seed(len(name))
    module = make()
    x = uniform("x", sizes)
    parameter = "bias" if name.endswith("bias") else "weight"
    entry = {"name": name, "repr": repr(module), "parameter": parameter, "eval": not module.training, "x": list(sizes)}
    entry["state"] = state(module)
    training, _ = module.training, module.eval()
    entry["weight"] = array(getattr(module, parameter))
    module.train(training)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    entry["losses"] = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        y = module(x)
        loss = (y * uniform("y", y.shape)).sum()
        loss.backward()
        optimizer.step()
        entry["losses"].append(loss.item())
    entry["after"] = state(module)
    return entry


def older(name, make, parameter):
    torch.manual_seed(len(name))
    module = make().eval()
    entry = {"name": name, "state": state(module)}
    module(uniform("x", (2, 4) if name == "weight_norm" else LINE))
    entry["weight"] = array(getattr(module, parameter))
    return entry


if __name__ == "__main__":
    write(__file__, {
        "about": ABOUT,
        "cases": [case(name, *row) for name, row in CASES.items()],
        "older": [older(name, *row) for name, row in OLDER.items()],
    })
