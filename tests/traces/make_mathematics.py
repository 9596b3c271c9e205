"""Operations of ops/mathematics.h, choice.h, products.h and statistics.h: special values, types, shapes, errors."""
import math

import torch

from trace_io import array, tensor, write

ABOUT = (
    "'cases': 'call' (tests/ops/mathematics_calls.cpp has the same), 'inputs', and either 'error' or 'outputs', of all "
    "results, with 'grads': the gradients of the sum of the first one's products with 1, 2, ..., by input, null where "
    "there is none."
)

INF, NAN = math.inf, math.nan
POINTS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -2.5, 0.999, 3.25, 1e-7, -1e-7, 12.0, -12.25, 88.0, 1e10, INF, -INF, NAN]
NEAR = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -2.5, 0.999, 3.25, 12.0, NAN]
NO_POLES = [0.5, -0.5, 1.0, 1.5, -2.5, 0.999, 3.25, 1e-3, 12.0, -12.25, 88.0, 1e4, NAN]
OPERANDS = [0.0, -0.0, 0.5, 1.0, -1.0, -3.0, 7.5, 1e20, INF, -INF, NAN]
TYPES = [torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32]

UNARY = {
    "asin": torch.asin, "acos": torch.acos, "sinh": torch.sinh, "cosh": torch.cosh, "asinh": torch.asinh,
    "acosh": torch.acosh, "atanh": torch.atanh, "deg2rad": torch.deg2rad, "rad2deg": torch.rad2deg, "sinc": torch.sinc,
    "exp2": torch.exp2, "logit": torch.logit, "logit_eps": lambda x: torch.logit(x, 0.1), "erfc": torch.erfc,
    "erfinv": torch.erfinv, "lgamma": torch.lgamma, "digamma": torch.digamma,
    "polygamma_1": lambda x: torch.polygamma(1, x), "polygamma_2": lambda x: torch.polygamma(2, x),
    "polygamma_3": lambda x: torch.polygamma(3, x), "trunc": torch.trunc, "frac": torch.frac, "signbit": torch.signbit,
    "nan_to_num": torch.nan_to_num, "nan_to_num_given": lambda x: torch.nan_to_num(x, 1.5, 2.5, -3.5),
    "isposinf": torch.isposinf, "isneginf": torch.isneginf,
    "copysign_number": lambda x: torch.copysign(x, -0.0), "float_power_number": lambda x: torch.float_power(x, 2),
    "where_right": lambda x: torch.where(x > 0, x, 0.5), "where_left": lambda x: torch.where(x > 0, 2, x),
    "where_both": lambda x: torch.where(x > 0, 1.0, 0.0), "where_integers": lambda x: torch.where(x > 0, 1, 0),
    "where_mixed": lambda x: torch.where(x > 0, 1, 0.5),
}  # fmt: skip
FOR = {"sinc": NEAR, "logit_eps": NEAR[:-1], "digamma": NO_POLES, "polygamma_1": NO_POLES, "polygamma_2": NO_POLES, "polygamma_3": NO_POLES}
BINARY = {
    "hypot": torch.hypot, "logaddexp": torch.logaddexp, "logaddexp2": torch.logaddexp2, "xlogy": torch.xlogy,
    "fmod": torch.fmod, "copysign": torch.copysign, "fmax": torch.fmax, "fmin": torch.fmin, "float_power": torch.float_power,
    "heaviside": torch.heaviside, "isclose": torch.isclose, "isclose_nan": lambda a, b: torch.isclose(a, b, 0.1, 0.5, True),
    "div_trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "div_floor": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "bitwise_and": torch.bitwise_and, "bitwise_or": torch.bitwise_or, "bitwise_xor": torch.bitwise_xor,
    "bitwise_left_shift": torch.bitwise_left_shift, "bitwise_right_shift": torch.bitwise_right_shift,
}  # fmt: skip
BITS = [n for n in BINARY if n.startswith("bitwise")]

F64 = torch.float64


def t(values, dtype=F64):
    return torch.tensor(values, dtype=dtype)


def unary():
    for name, fn in UNARY.items():
        points = FOR.get(name, POINTS)
        for dtype in (torch.float64, torch.float32):
            yield name, fn, [t(points, dtype)]
        yield name, fn, [torch.zeros(0, 3)]
        for dtype in TYPES[:5]:
            yield name, fn, [t([0, 1, 3], dtype)]
        for dtype in TYPES[5:7]:
            yield name, fn, [t([0.25, 0.75, 1.0] if name != "logit" else [0.25, 0.75, 0.5], dtype)]
    for dtype in TYPES[:5]:
        yield "bitwise_not", torch.bitwise_not, [t([0, 1, 77], dtype)]
    yield "bitwise_not", torch.bitwise_not, [t([1.0])]


def binary():
    for name, fn in BINARY.items():
        if name not in BITS:
            a, b = (v.reshape(-1) for v in torch.meshgrid(t(OPERANDS), t(OPERANDS), indexing="ij"))
            for dtype in (torch.float64, torch.float32):
                yield name, fn, [a.to(dtype), b.to(dtype)]
            yield name, fn, [tensor(1, (2, 1, 3), 0.2, 2), tensor(2, (4, 1), 0.2, 2)]
            yield name, fn, [torch.zeros(0, 3), torch.ones(3)]
        for x in (torch.bool, torch.uint8, torch.int32, torch.int64, torch.bfloat16, torch.float32):
            for y in (torch.bool, torch.int64, torch.float32, torch.float64):
                yield name, fn, [t([1, 0, 1] if x == torch.bool else [5, 3, 7], x), t([1, 1, 1] if y == torch.bool else [2, 1, 3], y)]
        for dtype in (torch.int8, torch.uint8, torch.int32, torch.int64):
            low = 0 if dtype == torch.uint8 else -1
            a = t([7, 7 * (1 + 2 * low), 100, 3, 0, torch.iinfo(dtype).min, torch.iinfo(dtype).max], dtype)
            b = t([2, 3, 7, 3 * (1 + 2 * low), 5, 2, 4], dtype)
            yield name, fn, [a, b]
        yield name, fn, [t([1, 2]), t([1, 2, 3])]
    for dtype in (torch.int8, torch.int32, torch.int64, torch.uint8):
        for name in ("bitwise_left_shift", "bitwise_right_shift"):
            n = torch.iinfo(dtype).bits
            low = 0 if dtype == torch.uint8 else -1
            yield name, BINARY[name], [t([1, 5, 100 * (1 + 2 * low), 77, 3], dtype), t([0, n - 1, 2, n, low if low else 9], dtype)]


def ternary():
    for name, fn in (("addcmul", torch.addcmul), ("addcdiv", torch.addcdiv)):
        x, y, z = tensor(3, (2, 3)), tensor(4, (2, 1), 0.5, 2), tensor(5, (3,), 0.5, 2)
        yield name, fn, [x, y, z]
        yield name, fn, [x.float(), y.float(), z.float()]
        yield name, fn, [t([1, 2], torch.int64), t([3, 4], torch.int64), t([5, 6], torch.int64)]
        yield name, fn, [t([1, 2], torch.float32), t([3, 4], torch.int64), t([5, 6], torch.int64)]
        yield name + "_value", lambda a, b, c, fn=fn: fn(a, b, c, value=-0.5), [x, y, z]


def products():
    m, v, w = tensor(6, (3, 4)), tensor(7, (4,)), tensor(8, (3,))
    a, b = tensor(9, (2, 3, 4)), tensor(10, (2, 4, 5))
    i = lambda x: (x * 5).to(torch.int64)
    yield "mv", torch.mv, [m, v]
    yield "mv", torch.mv, [i(m), i(v)]
    yield "mv", torch.mv, [m, w]
    yield "mv", torch.mv, [torch.zeros(3, 0), torch.zeros(0)]
    yield "vdot", torch.vdot, [v, v * 2]
    yield "vdot", torch.vdot, [m, m]
    yield "inner", torch.inner, [a, m]
    yield "inner", torch.inner, [a, t(2.0)]
    yield "inner", torch.inner, [a, w]
    yield "addmv", torch.addmv, [w, m, v]
    yield "addmv", torch.addmv, [t(2.0), m, v]
    yield "addmv_scaled", lambda *x: torch.addmv(*x, beta=0.5, alpha=2), [w, m, v]
    yield "addmv_scaled", lambda *x: torch.addmv(*x, beta=0.5, alpha=2), [w.float(), m.float(), v.float()]
    yield "addmv", torch.addmv, [i(w), i(m), i(v)]
    yield "addmv_without", lambda *x: torch.addmv(*x, beta=0), [t([NAN, 1, INF]), m, v]
    yield "addr", torch.addr, [m, w, v]
    yield "addr", torch.addr, [tensor(11, (4,)), w, v]
    yield "addr", torch.addr, [i(m), i(w), i(v)]
    yield "baddbmm", torch.baddbmm, [tensor(12, (2, 3, 5)), a, b]
    yield "baddbmm", torch.baddbmm, [tensor(12, (3, 1)), a, b]
    yield "baddbmm", torch.baddbmm, [tensor(12, (2, 3, 4)), a, b]
    yield "addbmm", torch.addbmm, [tensor(13, (3, 5)), a, b]
    yield "addbmm", torch.addbmm, [i(tensor(13, (3, 5))), i(a), i(b)]
    yield "tensordot", torch.tensordot, [a, tensor(14, (3, 4, 2))]
    yield "tensordot_0", lambda x, y: torch.tensordot(x, y, 0), [m, w]
    yield "tensordot_lists", lambda x, y: torch.tensordot(x, y, ([2, 0], [1, -3])), [a, b]
    yield "tensordot_lists", lambda x, y: torch.tensordot(x, y, ([2, 0], [1, -3])), [a, tensor(15, (1, 4, 5))]
    yield "tensordot_lists", lambda x, y: torch.tensordot(x, y, ([2, 0], [1, -3])), [a, tensor(15, (3, 4, 5))]
    yield "kron", torch.kron, [m, tensor(16, (2, 1))]
    yield "kron", torch.kron, [v, tensor(17, (2, 3, 1))]
    yield "kron", torch.kron, [i(m), tensor(18, ())]
    for p in (0, 1, 2, 3, INF):
        yield f"dist_{p}", lambda x, y, p=p: torch.dist(x, y, p), [m, v]
    yield "cov", torch.cov, [m]
    yield "cov", torch.cov, [v]
    yield "cov", torch.cov, [i(m)]
    yield "cov", torch.cov, [a]
    yield "cov_0", lambda x: torch.cov(x, correction=0), [m]
    f, q = t([1, 2, 0, 3], torch.int64), t([0.5, 1, 2, 0.25])
    yield "cov_f", lambda x, f: torch.cov(x, fweights=f), [m, f]
    yield "cov_a", lambda x, q: torch.cov(x, aweights=q), [m, q]
    yield "cov_fa", lambda x, f, q: torch.cov(x, correction=2, fweights=f, aweights=q), [m, f, q]
    yield "cov_f", lambda x, f: torch.cov(x, fweights=f), [m, q]
    yield "cov_f", lambda x, f: torch.cov(x, fweights=f), [m, -f]
    yield "corrcoef", torch.corrcoef, [m]
    yield "corrcoef", torch.corrcoef, [v]
    yield "diff", torch.diff, [m]
    yield "diff", torch.diff, [i(m)]
    yield "diff", torch.diff, [m > 0]
    yield "diff", torch.diff, [t(1.0)]
    yield "diff_2", lambda x: torch.diff(x, 2, 0), [m]
    yield "diff_5", lambda x: torch.diff(x, 5), [m]
    yield "diff_joined", lambda x, y, z: torch.diff(x, dim=1, prepend=y, append=z), [m, tensor(19, (3, 2)), tensor(20, (3, 1))]
    for name, fn in (("trapezoid", torch.trapezoid), ("cumulative_trapezoid", torch.cumulative_trapezoid)):
        yield name, fn, [m]
        yield name, fn, [i(m)]
        yield name, fn, [torch.zeros(3, 0)]
        yield name, fn, [torch.ones(3, 1)]
        yield name + "_dx", lambda y, fn=fn: fn(y, dx=0.5, dim=0), [m]
        yield name + "_x", fn, [m, t([0, 1, 3, 7])]
        yield name + "_x", fn, [m, tensor(21, (3, 4))]
        yield name + "_x", fn, [m, w]
    s = tensor(22, (2, 3, 3))
    for n in (0, 1, 2, 5):
        yield f"matrix_power_{n}", lambda x, n=n: torch.matrix_power(x, n), [s]
    yield "matrix_power_2", lambda x: torch.matrix_power(x, 2), [m]
    yield "multi_dot", lambda *x: torch.linalg.multi_dot(x), [m, tensor(23, (4, 1)), tensor(24, (1, 5)), tensor(25, (5,))]
    yield "multi_dot", lambda *x: torch.linalg.multi_dot(x), [w, m, tensor(26, (4, 2))]
    yield "multi_dot", lambda *x: torch.linalg.multi_dot(x), [w, m, v]
    yield "multi_dot", lambda *x: torch.linalg.multi_dot(x), [m, m]


HOLES = t([[0.5, NAN, -1.0, 2.0], [NAN, NAN, NAN, NAN], [3.0, 3.0, 0.25, -2.0], [7.0, 1.0, 5.0, NAN]])
FLAT = t([[2.0, -1.0, 0.0], [0.5, 2.5, -3.0]])


def statistics():
    i = t([[1, 0, 3], [0, 0, -7]], torch.int64)
    for x in (FLAT, FLAT.float(), i, i.to(torch.bool), HOLES, torch.zeros(0, 3)):
        yield "count_nonzero", torch.count_nonzero, [x]
        yield "count_nonzero_0", lambda x: torch.count_nonzero(x, 0), [x]
        yield "nansum", torch.nansum, [x]
        yield "nansum_1", lambda x: torch.nansum(x, 1, True), [x]
        yield "var_mean_1", lambda x: torch.var_mean(x, 1), [x]
        yield "std_mean", lambda x: torch.std_mean(x, correction=0), [x]
        if x is not HOLES:  # the gradient of a NaN is an extreme's own, see extremes_test.cpp
            yield "aminmax", torch.aminmax, [x]
            yield "aminmax_1", lambda x: torch.aminmax(x, dim=1, keepdim=True), [x]
        for name in ("cummax", "cummin"):
            yield name, lambda x, fn=getattr(torch, name): fn(x, 1), [x]
            yield name + "_0", lambda x, fn=getattr(torch, name): fn(x, 0), [x]
        yield "nanmedian", torch.nanmedian, [x]
        # Of several NaN alone any may be the one, and a mean of nothing has no gradient.
        some = HOLES[[0, 2, 3]] if x is HOLES else x
        yield "nanmean_1", lambda x: torch.nanmean(x, 1), [some]
        yield "nanmedian_1", lambda x: torch.nanmedian(x, 1), [some]
        yield "kthvalue", lambda x: torch.kthvalue(x, 2, 1), [some]
        yield "quantile", lambda x: torch.quantile(x, 0.3), [x]
        yield "nanquantile_1", lambda x: torch.nanquantile(x, 0.3, 1), [x]
        yield "logcumsumexp", lambda x: torch.logcumsumexp(x, 1), [x]
    for mode in ("linear", "lower", "higher", "midpoint", "nearest"):
        q = t([0.0, 0.2, 0.5, 0.9, 1.0])
        yield f"quantile_{mode}", lambda x, m=mode, q=q: torch.quantile(x, q, 0, True, interpolation=m), [HOLES]
        yield f"quantile_{mode}", lambda x, m=mode, q=q: torch.quantile(x, q, 0, True, interpolation=m), [tensor(30, (5, 2, 3))]
        yield f"nanquantile_{mode}", lambda x, m=mode, q=q: torch.nanquantile(x, q, 1, interpolation=m), [HOLES]
    yield "kthvalue", lambda x: torch.kthvalue(x, 2, 1), [torch.zeros(2, 1)]
    yield "kthvalue_keep", lambda x: torch.kthvalue(x, 1, 0, True), [FLAT]
    yield "cummax", lambda x: torch.cummax(x, 1), [t([[1.0, 1.0, 0.0, 2.0, 2.0, NAN, 3.0]])]
    yield "cummin", lambda x: torch.cummin(x, 1), [t([[1.0, 1.0, 2.0, 0.0, 0.0, NAN, -3.0]])]
    # PyTorch's gradients are NaN where an element adds nothing; ours are 0.
    yield "logcumsumexp", lambda x: torch.logcumsumexp(x.detach(), 1), [t([[-INF, -INF, 1.0, 2.0], [1000.0, -1000.0, 1001.0, 0.0]])]
    yield "logcumsumexp", lambda x: torch.logcumsumexp(x.detach(), 1), [t([[-INF, 2.0, INF, 1.0], [1.0, NAN, 2.0, 3.0]])]
    yield "histc", torch.histc, [tensor(31, (50,), 0, 9)]
    yield "histc_range", lambda x: torch.histc(x, 4, -1, 3), [t([-1.0, 3.0, 0.0, 2.99, 5.0, -2.0, NAN, 1.0])]
    yield "histc_range", lambda x: torch.histc(x, 4, -1, 3), [torch.zeros(0)]
    yield "histc", torch.histc, [t([1.0, INF])]
    yield "histc", torch.histc, [torch.ones(3, dtype=torch.float32)]
    yield "bincount", torch.bincount, [t([1, 4, 1, 0], torch.int64)]
    yield "bincount", torch.bincount, [t([1, 4, 1, 0], torch.uint8)]
    yield "bincount", torch.bincount, [t([], torch.int64)]
    yield "bincount", torch.bincount, [t([1, -1], torch.int64)]
    yield "bincount", torch.bincount, [t([1.0])]
    yield "bincount", torch.bincount, [t([[1]], torch.int64)]
    yield "bincount_weights", torch.bincount, [t([1, 4, 1, 0], torch.int64), t([0.5, 1, 2, 4])]
    yield "bincount_weights", torch.bincount, [t([1, 4, 1, 0], torch.int64), t([0.5, 1, 2, 4], torch.float32)]
    yield "bincount_weights", torch.bincount, [t([1, 4, 1, 0], torch.int64), t([1, 1, 2, 4], torch.int64)]
    yield "bincount_weights", torch.bincount, [t([1, 4], torch.int64), t([1, 1, 2, 4])]
    yield "bincount_least", lambda x: torch.bincount(x, minlength=7), [t([1, 4, 1, 0], torch.int64)]
    yield "renorm_2", lambda x: torch.renorm(x, 2, 0, 1.5), [tensor(32, (3, 2, 2))]
    yield "renorm_1", lambda x: torch.renorm(x, 1, 1, 0.5), [tensor(33, (3, 2), 0.1, 1)]
    yield "renorm_2", lambda x: torch.renorm(x, 2, 0, 1.5), [tensor(34, (3,))]


def record(name, fn, inputs):
    xs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    entry = {"call": name, "inputs": [array(x) for x in xs]}
    try:
        ys = fn(*xs)
    except (RuntimeError, IndexError, NotImplementedError, ZeroDivisionError, ValueError, TypeError):
        return {**entry, "error": True}
    ys = [ys] if isinstance(ys, torch.Tensor) else list(ys)
    entry["outputs"] = [array(y) for y in ys]
    y = ys[0]
    if y.requires_grad:
        weights = torch.arange(1, y.numel() + 1, dtype=y.dtype).reshape(y.shape)
        try:
            grads = iter(torch.autograd.grad(y, [x for x in xs if x.requires_grad], weights, allow_unused=True))
        except RuntimeError:  # PyTorch has no derivative for this mixture of types
            return entry
        entry["grads"] = [None if not x.requires_grad or (g := next(grads)) is None else array(g) for x in xs]
    return entry


def main():
    cases = []
    for family in (unary, binary, ternary, products, statistics):
        for name, fn, inputs in list(family()):
            torch.set_default_dtype(torch.float32)
            cases.append(record(name, fn, inputs))
        torch.set_default_dtype(F64)
    write(__file__, {"about": ABOUT, "cases": cases})


if __name__ == "__main__":
    main()
