"""Records how PyTorch prints tensors: see "about" in the result."""
import torch

from trace_io import flat, write

torch.set_default_dtype(torch.float32)
inf, nan = float("inf"), float("nan")

# (shape, dtype, data), or (start, step) in place of data: start + step * i, computed in float64.
CASES = [
    ((2,), "float32", [1, 2]), ((), "float32", [1.5]), ((), "int64", [7]), ((), "bool", [1]), ((1,), "float32", [-0.0]),
    ((3,), "float32", [0.1, 0.25, 3]), ((3,), "float32", [0, 0, 0]), ((3,), "float64", [1, 2.5, -3]),
    ((3,), "bfloat16", [1, 2.5, -3]), ((2,), "int32", [1, -20]), ((3,), "uint8", [1, 20, 255]),
    ((3,), "bool", [1, 0, 1]), ((2, 2), "int64", [1, -2000, 30, 4]), ((2, 3), "float32", [1, 2, 3, 4, 5, 60]),
    # not finite
    ((3,), "float32", [nan, inf, -inf]), ((3,), "float32", [1, nan, inf]), ((3,), "float32", [1.5, nan, -inf]),
    ((4,), "float32", [1e-5, nan, -inf, 0]),
    # large, small and wide ranges
    ((3,), "float32", [1e-5, 1, 2]), ((2,), "float32", [1e9, 1]), ((2,), "float32", [1e8, 1e7]), ((2,), "float32", [0.001, 1]),
    ((2,), "float32", [0.001, 1.01]), ((2,), "float64", [1e-300, 1e300]), ((2,), "float32", [123456.789, 1000]),
    ((1,), "float32", [1e-4]), ((1,), "float64", [1e-4]), ((2,), "float32", [1000, 1]), ((2,), "float32", [1001, 1]),
    ((2,), "float64", [0.00005, 0.00015]), ((2,), "float32", [2.00005, 2.99995]),
    # lines
    ((30,), "float32", (0, 1)), ((30,), "float32", (-1, 0.1)), ((40,), "int64", (-5, 1)), ((2, 20), "float32", (0, 0.5)),
    ((2, 2, 2), "float32", (0, 1)), ((2, 1, 2, 2), "float32", (0, 0.25)), ((3, 3, 2), "int64", (0, 7)),
    # summarised
    ((1001,), "float32", (0, 1)), ((1000,), "int64", (0, 1)), ((1001,), "int64", (0, 1)), ((40, 40), "float32", (0, 0.01)),
    ((5, 300), "float32", (0, 1)), ((300, 5), "float64", (0, 0.5)), ((12, 12, 12), "float32", (0, 1)),
    ((600, 2), "bool", (0, 1)), ((1100,), "float32", (1, 1e6)),
    # nothing
    ((0,), "float32", []), ((0,), "int64", []), ((2, 0), "float32", []), ((0, 3, 1), "bool", []), ((0,), "float64", []),
    # suffixes that need a line of their own
    ((10,), "float64", (0.5, 1)), ((9,), "float64", (0.5, 1)), ((8,), "float64", (0.5, 1)), ((7,), "float64", (0.5, 1)),
]
GRAD = [((2,), "float32", [1, 2]), ((2,), "float64", [1, 2]), ((0,), "float32", []), ((7,), "float64", (0.5, 1)),
        ((6,), "float64", (0.5, 1)), ((2, 3), "float32", (0, 0.5)), ((1, 10), "float32", (0, 0.5))]

cases = []
for grad, group in ((False, CASES), (True, GRAD)):
    for shape, dtype, data in group:
        if isinstance(data, tuple):
            entry = {"start": data[0], "step": data[1]}
            x = torch.arange(torch.Size(shape).numel(), dtype=torch.float64) * data[1] + data[0]
        else:
            x = torch.tensor(data, dtype=torch.float64)
            entry = {"data": flat(x)}
        x = x.to(getattr(torch, dtype)).reshape(shape).requires_grad_(grad)
        cases.append({"shape": list(shape), "dtype": dtype, **entry, "requires_grad": grad, "text": repr(x)})

about = ("text: what PyTorch prints for a tensor of this shape, dtype and data; where start and step stand instead, element "
         "i is start + step * i in float64, then converted.")
write(__file__, {"about": about, "cases": cases})
