"""Operations of ops/arranging.h, diagonals.h, creation.h, placing.h, searching.h and grid_sampling.h, and the derivatives
of autograd_functional.h."""
import itertools

import torch
from torch.autograd import functional
from torch.nn import functional as F

from formula import uniform
from trace_io import array, write

ABOUT = (
    "'functions': 'name' (tests/ops/arranging/arranging_trace_test.cpp calls the same), 'inputs': the sizes of formula.py's 'x0', "
    "'x1', ..., 'outputs', and 'grads': the gradients of the sum of output i * uniform('yi', its shape) over all i. "
    "'constants': outputs alone. 'derivatives': what tests/autograd/functional_test.cpp computes. All float64 but indices."
)

I = torch.tensor
PICK = I([2, 0])
MASK = torch.arange(12).reshape(3, 4) % 3 == 1
PLACES = I([[0, 1, 1, 3, 1], [2, 2, 2, 2, 0], [3, 1, 0, 1, 3]])
ROWS = I([2, 0, 2, 2, 0])

FUNCTIONS = {
    "movedim": (lambda x: torch.movedim(x, (0, -1), (-1, 1)), ((2, 3, 4),)),
    "movedim_one": (lambda x: torch.movedim(x, 1, 0), ((2, 3, 4),)),
    "moveaxis": (lambda x: torch.moveaxis(x, 0, 2), ((2, 3, 4),)),
    "swapaxes": (lambda x: torch.swapaxes(x, 0, -1), ((2, 3, 4),)),
    "ravel": (lambda x: torch.ravel(x.t()), ((2, 3),)),
    "tile": (lambda x: torch.tile(x, (2,)), ((2, 3),)),
    "tile_more": (lambda x: torch.tile(x, (2, 1, 3)), ((2, 3),)),
    "squeeze": (lambda x: torch.squeeze(x, (0, 2, 3)), ((1, 3, 1, 2),)),
    "rot90": (lambda x: torch.rot90(x, 1, (1, 2)), ((2, 3, 2),)),
    "rot90_back": (lambda x: torch.rot90(x, -1, (0, -1)), ((2, 3, 2),)),
    "rot90_twice": (lambda x: torch.rot90(x, 2), ((2, 3),)),
    "fliplr": (torch.fliplr, ((2, 3),)),
    "flipud": (torch.flipud, ((2, 3),)),
    "hstack": (lambda *x: torch.hstack(x), ((3,), (2,), ())),
    "hstack_matrices": (lambda *x: torch.hstack(x), ((2, 3), (2, 1))),
    "vstack": (lambda *x: torch.vstack(x), ((3,), (2, 3))),
    "dstack": (lambda *x: torch.dstack(x), ((3,), (1, 3))),
    "column_stack": (lambda *x: torch.column_stack(x), ((3,), (3, 2))),
    "atleast_1d": (torch.atleast_1d, ((), (3,))),
    "atleast_2d": (torch.atleast_2d, ((), (3,), (2, 1, 2))),
    "atleast_3d": (torch.atleast_3d, ((), (3,), (2, 3))),
    "tensor_split": (lambda x: torch.tensor_split(x, 3, 1), ((2, 7),)),
    "tensor_split_more": (lambda x: torch.tensor_split(x, 4), ((2, 3),)),
    "tensor_split_indices": (lambda x: torch.tensor_split(x, (1, -2, 9), 1), ((2, 7),)),
    "tensor_split_back": (lambda x: torch.tensor_split(x, (5, 2), 1), ((2, 7),)),
    "hsplit": (lambda x: torch.hsplit(x, 2), ((2, 4),)),
    "hsplit_vector": (lambda x: torch.hsplit(x, (1, 3)), ((5,),)),
    "vsplit": (lambda x: torch.vsplit(x, (1,)), ((4, 2),)),
    "dsplit": (lambda x: torch.dsplit(x, 2), ((1, 2, 4),)),
    "broadcast_tensors": (torch.broadcast_tensors, ((3, 1), (4,))),
    "diagonal": (lambda x: torch.diagonal(x, -1), ((3, 4, 2),)),
    "diagonal_dims": (lambda x: torch.diagonal(x, 1, 2, 0), ((2, 3, 4),)),
    "diagonal_far": (lambda x: torch.diagonal(x, 5), ((3, 4),)),
    "diag_vector": (lambda x: torch.diag(x, 1), ((3,),)),
    "diag_matrix": (lambda x: torch.diag(x, -1), ((3, 4),)),
    "diagflat": (lambda x: torch.diagflat(x, 1), ((2, 2),)),
    "diag_embed": (lambda x: torch.diag_embed(x, -1, 0, 2), ((2, 3),)),
    "block_diag": (torch.block_diag, ((2, 3), (2,), (), (1, 1))),
    "cartesian_prod": (torch.cartesian_prod, ((2,), (3,), (2,))),
    "combinations": (torch.combinations, ((4,),)),
    "combinations_repeated": (lambda x: torch.combinations(x, 3, True), ((3,),)),
    "diagonal_scatter": (lambda x, s: torch.diagonal_scatter(x, s, 1), ((3, 4), (3,))),
    "slice_scatter": (lambda x, s: torch.slice_scatter(x, s, 1, 1, -1, 2), ((2, 6), (2, 2))),
    "select_scatter": (lambda x, s: torch.select_scatter(x, s, 1, -1), ((2, 3), (2,))),
    "index_copy": (lambda x, s: torch.index_copy(x, 1, PICK, s), ((3, 4), (3, 2))),
    "index_fill": (lambda x: torch.index_fill(x, 1, PICK, 2.5), ((3, 4),)),
    "index_fill_tensor": (lambda x, v: torch.index_fill(x, 0, PICK, v), ((3, 4), ())),
    "index_put": (lambda x, v: torch.index_put(x, (PICK, I([1, 3])), v), ((3, 4), (2,))),
    "index_put_add": (lambda x, v: torch.index_put(x, (I([1, 1]),), v, True), ((3, 4), (2, 4))),
    "masked_scatter": (lambda x, s: torch.masked_scatter(x, MASK, s), ((3, 4), (12,))),
    "take": (lambda x: torch.take(x, I([[0, -1], [5, 5]])), ((3, 4),)),
    "put": (lambda x, s: torch.Tensor.put(x, I([[0, -1], [5, 7]]), s), ((3, 4), (2, 2))),
    "put_add": (lambda x, s: torch.Tensor.put(x, I([[0, -1], [5, 5]]), s, True), ((3, 4), (2, 2))),
    "take_along_dim": (lambda x: torch.take_along_dim(x, I([[0, 3]]), 1), ((3, 4),)),
    "take_along_flat": (lambda x: torch.take_along_dim(x, I([3, 3, 1])), ((3, 4),)),
    "scatter_reduce_ties": (lambda x, s: torch.scatter_reduce(0 * x, 1, PLACES, 0 * s, "amax"), ((3, 4), (3, 5))),
    "msort": (torch.msort, ((4, 3),)),
    "affine_grid": (lambda t: F.affine_grid(t, (2, 1, 3, 4), align_corners=False), ((2, 2, 3),)),
    "affine_grid_corners": (lambda t: F.affine_grid(t, (1, 1, 2, 1, 3), align_corners=True), ((1, 3, 4),)),
    "grid_volume": (lambda x, g: F.grid_sample(x, 1.3 * g, "bilinear", "reflection", False),
                    ((1, 2, 2, 3, 4), (1, 2, 3, 2, 3))),
}  # fmt: skip


def add_reductions():
    for reduce, own in itertools.product(("sum", "prod", "mean", "amax", "amin"), (True, False)):
        end = reduce + ("" if own else "_alone")
        FUNCTIONS["scatter_reduce_" + end] = (
            lambda x, s, r=reduce, o=own: torch.scatter_reduce(x, 1, PLACES, s, r, include_self=o), ((3, 4), (3, 5)))
        if reduce != "sum":
            FUNCTIONS["index_reduce_" + end] = (
                lambda x, s, r=reduce, o=own: torch.index_reduce(x, 0, ROWS, s, r, include_self=o), ((3, 2), (5, 2)))


def add_grids():
    for mode, pad, corners in itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection"), (0, 1)):
        FUNCTIONS[f"grid_{mode}_{pad}_{corners}"] = (
            lambda x, g, m=mode, p=pad, c=corners: F.grid_sample(x, 1.7 * g, m, p, bool(c)),
            ((2, 2, 3, 4), (2, 2, 3, 2)))


def constants():
    edges, nan = I([1.0, 3.0, 3.0, 5.0]), float("nan")
    wanted = I([[0.0, 1.0, 2.0], [3.0, 9.0, nan]])
    runs = I([1, 1, 2, 2, 2, 1, 3, 3])
    slices = I([[1, 1], [1, 1], [2, 1], [1, 1]])
    yield "tril_indices", torch.tril_indices(3, 4, 1)
    yield "tril_indices_below", torch.tril_indices(4, 3, -2)
    yield "triu_indices", torch.triu_indices(4, 3, -1)
    yield "triu_indices_none", torch.triu_indices(2, 3, 5)
    yield "searchsorted", torch.searchsorted(edges, wanted)
    yield "searchsorted_right", torch.searchsorted(edges, wanted, side="right")
    yield "searchsorted_rows", torch.searchsorted(I([[1, 2, 4], [0, 0, 9]]), I([[2, 3], [0, 5]]), right=True)
    yield "searchsorted_sorter", torch.searchsorted(I([5, 1, 3]), I([0, 2, 3]), sorter=I([1, 2, 0]))
    yield "bucketize", torch.bucketize(wanted, edges, out_int32=True)
    yield "isin", torch.isin(wanted, edges).long()
    yield "isin_not", torch.isin(I([1, 2, 3]), I([3, 1]), invert=True).long()
    yield "unique_consecutive", torch.unique_consecutive(runs, return_inverse=True, return_counts=True)
    yield "unique_consecutive_dim", torch.unique_consecutive(slices, True, True, dim=0)
    yield "nonzero_numpy", torch.nonzero(I([[0, 2], [3, 0]]), as_tuple=True)
    yield "argwhere", torch.argwhere(I([[0, 2], [3, 0]]))
    yield "combinations_none", torch.combinations(I([1.0, 2.0]), 3)
    yield "logspace", torch.logspace(-1, 2, 5)
    yield "logspace_2", torch.logspace(0, 3, 4, base=2)
    # Its backward fails in PyTorch.
    yield "vander", torch.vander(uniform("x0", (3,)))
    yield "vander_increasing", torch.vander(uniform("x0", (3,)), 4, True)
    yield "vander_integers", torch.vander(I([0, 2, 3]))
    for name in ("bartlett", "blackman", "hamming", "hann"):
        make = getattr(torch, name + "_window")
        yield name, [make(6), make(6, periodic=False), make(7), make(1), make(0)]
    yield "hamming_options", torch.hamming_window(5, False, 0.6, 0.4)


def derivatives():
    x, y, v, w = (uniform(f"x{i}", (3,)) for i in range(4))
    u = uniform("x4", (2, 3))
    one = lambda a: torch.outer(a.exp(), a)[:2] * a.sum()
    two = lambda a, b: ((a * b.sum()).sin(), (a * a).sum())
    number = lambda a: (a**3).sum() * a[0].exp()
    mixed = lambda a, b: (a**2 * b.sin()).sum() + a[0] * a[1]
    yield "jacobian", functional.jacobian(one, x)
    yield "jacobian_several", [z for row in functional.jacobian(two, (x, y)) for z in row]
    yield "hessian", functional.hessian(number, x)
    yield "hessian_several", [z for row in functional.hessian(mixed, (x, y)) for z in row]
    yield "vjp", functional.vjp(one, x, u)
    yield "vjp_several", [z for part in functional.vjp(two, (x, y), (v, v[0])) for z in part]
    yield "jvp", functional.jvp(one, x, v)
    yield "jvp_several", [z for part in functional.jvp(two, (x, y), (v, w)) for z in part]
    yield "vhp", functional.vhp(number, x, v)
    yield "hvp", functional.hvp(number, x, v)
    result, products = functional.hvp(mixed, (x, y), (v, w))
    yield "hvp_several", [result, *products]


def listed(y):
    return [y] if isinstance(y, torch.Tensor) else list(y)


def main():
    add_reductions()
    add_grids()
    functions = []
    for name, (fn, sizes) in FUNCTIONS.items():
        xs = [uniform(f"x{i}", s).requires_grad_() for i, s in enumerate(sizes)]
        ys = listed(fn(*xs))
        sum((y * uniform(f"y{i}", y.shape)).sum() for i, y in enumerate(ys)).backward()
        functions.append({"name": name, "inputs": sizes, "outputs": [array(y) for y in ys],
                          "grads": [array(x.grad) for x in xs]})  # fmt: skip
    entry = lambda name, ys: {"name": name, "outputs": [array(y) for y in listed(ys)]}
    write(__file__, {"about": ABOUT, "functions": functions, "constants": [entry(*c) for c in constants()],
                     "derivatives": [entry(*d) for d in derivatives()]})  # fmt: skip


if __name__ == "__main__":
    main()
