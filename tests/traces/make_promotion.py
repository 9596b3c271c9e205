"""Result dtypes of PyTorch's operations over all pairs of dtypes and operand kinds."""
import torch

from trace_io import write

DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool", "bfloat16"]
DEFAULT = torch.float32  # a Python float's own dtype; the default when PyTorch starts

ABOUT = (
    "An operand is [kind, dtype]: 'tensor' has one dimension, 'scalar_tensor' none, 'number' is a Python number. "
    "binary[op][i][j] is the dtype of op(lefts[i], rights[j]), or 'error' where PyTorch refuses. The default dtype "
    "is float32. 'accumulate' says of a += b, for the same pairs, the dtype of a afterwards (always a's), or "
    "'error'. unary[op][i] is the result for a one-dimensional tensor of dtypes[i]."
)

LEFTS = [(kind, name) for kind in ("tensor", "scalar_tensor") for name in DTYPES]
RIGHTS = LEFTS + [("number", name) for name in ("int64", "float64", "bool")]

BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "div_floor": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "div_trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "remainder": torch.remainder,
    "pow": torch.pow,
    "lt": torch.lt,
    "eq": torch.eq,
    "maximum": lambda a, b: torch.maximum(a, b if isinstance(b, torch.Tensor) else refuse()),
    "where": lambda a, b: torch.where(torch.tensor([True, False]), a, b),
}
UNARY = ["exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "abs", "neg", "sign", "sin", "cos", "tanh", "sigmoid", "erf",
         "relu", "sum", "mean", "var", "prod", "cumsum", "max", "argmax", "norm", "logsumexp", "softmax", "all",
         "any"]  # fmt: skip


def refuse():
    raise TypeError("takes tensors only")


def operand(kind, name):
    dtype = getattr(torch, name)
    if kind == "number":
        return {"int64": 2, "float64": 2.0, "bool": True}[name]
    return torch.ones((2,) if kind == "tensor" else (), dtype=dtype)


def result(function, *operands):
    try:
        output = function(*operands)
    except (RuntimeError, TypeError):
        return "error"
    return str(output.dtype).removeprefix("torch.")


def unary(op):
    if op in ("cumsum", "logsumexp", "softmax"):
        return lambda t: getattr(torch, op)(t, 0)
    return getattr(torch, op)


def main():
    torch.set_default_dtype(DEFAULT)
    binary = {
        op: [[result(f, operand(*left), operand(*right)) for right in RIGHTS] for left in LEFTS]
        for op, f in BINARY.items()
    }
    accumulate = [[result(torch.Tensor.add_, operand(*left), operand(*right)) for right in RIGHTS] for left in LEFTS]
    write(
        __file__,
        {
            "about": ABOUT,
            "dtypes": DTYPES,
            "lefts": [list(x) for x in LEFTS],
            "rights": [list(x) for x in RIGHTS],
            "binary": binary,
            "accumulate": accumulate,
            "unary": {op: [result(unary(op), operand("tensor", name)) for name in DTYPES] for op in UNARY},
        },
    )


if __name__ == "__main__":
    main()
