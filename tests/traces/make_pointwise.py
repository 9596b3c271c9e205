"""Element-wise functions at special values: zeros of both signs, infinities, NaN, huge and tiny numbers, integers."""
import torch
from torch.nn import functional as F

from trace_io import flat, number, write

ABOUT = (
    "'unary': 'op' with 'options' of the tensor 'points' in 'dtype' (float32 numbers are written as the doubles they "
    "are), its 'output' and the gradient of its sum, 'grad'. 'binary': 'op' of the tensors 'lefts' and 'rights' (each "
    "left with each right, row-major), 'output' and the gradients of its sum, 'grad_a' and 'grad_b' (absent where there "
    "is none). 'integers': the same for integer tensors, 'a' and 'b' (absent for functions of one), without gradients."
)

INF, NAN = float("inf"), float("nan")
POINTS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 3.0, -7.25, 20.0, 25.0, -30.0, 88.5, -104.0, 1e-7, -1e-7, 1e15,
          -1e15, 1e30, -1e30, 1e-30, INF, -INF, NAN]  # fmt: skip
# Beyond these the answer is a matter of how an argument of 1e30 is reduced.
SMALL = [p for p in POINTS if not 1e4 < abs(p) < INF]
OPERANDS = [0.0, -0.0, 0.5, 1.0, -1.0, 2.0, -3.0, 7.5, -7.5, 0.1, 1e20, INF, -INF, NAN]


def gelu(x, approximate="none"):
    return F.gelu(x, approximate=approximate)


UNARY = {
    "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "floor": torch.floor, "ceil": torch.ceil,
    "round": torch.round, "exp": torch.exp, "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p,
    "log2": torch.log2, "log10": torch.log10, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "square": torch.square,
    "reciprocal": torch.reciprocal, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "atan": torch.atan,
    "tanh": torch.tanh, "erf": torch.erf, "relu": torch.relu, "silu": F.silu, "sigmoid": torch.sigmoid,
    "logsigmoid": F.logsigmoid, "isnan": torch.isnan, "isinf": torch.isinf, "isfinite": torch.isfinite,
    "logical_not": torch.logical_not, "leaky_relu": F.leaky_relu, "elu": F.elu, "gelu": gelu, "softplus": F.softplus,
    "pow": torch.pow, "clamp": torch.clamp,
}  # fmt: skip
OPTIONS = {
    "leaky_relu": [{}, {"negative_slope": 0.2}],
    "elu": [{}, {"alpha": 0.5}],
    "gelu": [{}, {"approximate": "tanh"}],
    "softplus": [{}, {"beta": 2.0, "threshold": 1.0}],
    "pow": [{"exponent": e} for e in (0.0, 0.5, -0.5, 1.0, -1.0, 2.0, 3.0, -2.0, 2.5, -0.25)],
    "clamp": [{"min": -1.0, "max": 1.5}, {"min": 0.5}, {"max": 0.5}, {"min": 2.0, "max": -2.0}],
}
BINARY = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow, "maximum": torch.maximum,
    "minimum": torch.minimum, "remainder": torch.remainder, "floor_divide": torch.floor_divide,
    "lerp": lambda a, b: torch.lerp(a, b, 0.25), "eq": torch.eq, "ne": torch.ne, "lt": torch.lt, "le": torch.le,
    "gt": torch.gt, "ge": torch.ge, "logical_and": torch.logical_and, "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
}  # fmt: skip


def name(dtype):
    return str(dtype).removeprefix("torch.")


def unary():
    for op, function in UNARY.items():
        points = SMALL if op in ("sin", "cos", "tan") else POINTS
        for options in OPTIONS.get(op, [{}]):
            for dtype in (torch.float32, torch.float64):
                x = torch.tensor(points, dtype=dtype, requires_grad=True)
                y = function(x, **options)
                entry = {"op": op, "options": {k: number(v) for k, v in options.items()}, "dtype": name(dtype),
                         "points": flat(x), "output": flat(y)}  # fmt: skip
                if y.requires_grad:
                    y.sum().backward()
                    entry["grad"] = flat(x.grad)
                yield entry


def binary():
    for op, function in BINARY.items():
        for dtype in (torch.float32, torch.float64):
            n = len(OPERANDS)
            a = torch.tensor(OPERANDS, dtype=dtype).repeat_interleave(n).requires_grad_()
            b = torch.tensor(OPERANDS, dtype=dtype).repeat(n).requires_grad_()
            y = function(a, b)
            entry = {"op": op, "dtype": name(dtype), "output": flat(y)}
            if y.requires_grad and op != "floor_divide":
                y.sum().backward()
                entry |= {"grad_a": flat(a.grad), "grad_b": flat(b.grad)}
            yield entry


def integers():
    lowest = {torch.int64: -(2**63), torch.int32: -(2**31), torch.uint8: 0}
    for dtype, low in lowest.items():
        high = torch.iinfo(dtype).max
        values = [low, high, 0, 1, 2, 3, 7, 100] + ([-1, -2, -3, -7] if low else [])
        a = torch.tensor(values, dtype=dtype)
        for op in ("neg", "abs", "sign", "floor", "round", "square", "relu"):
            yield {"op": op, "dtype": name(dtype), "a": a.tolist(), "output": UNARY[op](a).tolist()}
        for op in ("add", "sub", "mul", "pow", "maximum", "minimum", "remainder", "floor_divide", "lt", "logical_and"):
            b = torch.tensor([v for v in values if v != 0 or op not in ("remainder", "floor_divide")], dtype=dtype)
            left, right = a.repeat_interleave(len(b)), b.repeat(len(a))
            yield {"op": op, "dtype": name(dtype), "a": left.tolist(), "b": right.tolist(),
                   "output": BINARY[op](left, right).tolist()}  # fmt: skip


def main():
    write(
        __file__,
        {"about": ABOUT, "operands": [number(x) for x in OPERANDS], "unary": list(unary()), "binary": list(binary()),
         "integers": list(integers())},  # fmt: skip
    )


if __name__ == "__main__":
    main()
