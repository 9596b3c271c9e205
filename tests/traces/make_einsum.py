"""Results and gradients of einsum, and the shapes of matmul, over many equations and ranks: einsum.json."""
import torch

from trace_io import array, tensor, write

EQUATIONS = [
    ("i->i", [(3,)]),
    ("ij->ji", [(3, 4)]),
    ("ij", [(3, 4)]),
    ("ba", [(3, 4)]),
    ("Ab->bA", [(3, 4)]),
    ("bA", [(3, 4)]),
    ("ij->", [(3, 4)]),
    ("ij->j", [(3, 4)]),
    ("ii->i", [(4, 4)]),
    ("ii", [(4, 4)]),
    ("iii->i", [(3, 3, 3)]),
    ("ijij->ij", [(2, 3, 2, 3)]),
    ("ijji->j", [(2, 3, 3, 2)]),
    ("i,i->", [(5,), (5,)]),
    ("i,i->i", [(5,), (5,)]),
    ("i,j->ij", [(3,), (4,)]),
    ("i,j->ji", [(3,), (4,)]),
    ("ij,jk->ik", [(3, 4), (4, 5)]),
    ("ij,jk", [(3, 4), (4, 5)]),
    ("ij,kj->ki", [(3, 4), (5, 4)]),
    ("ij,ij->", [(3, 4), (3, 4)]),
    ("ij,j->i", [(3, 4), (4,)]),
    ("ij,k->ik", [(3, 4), (5,)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]),
    ("bqhd,bkhd->bhqk", [(2, 3, 2, 4), (2, 5, 2, 4)]),
    ("bhqk,bkhd->bqhd", [(2, 2, 3, 5), (2, 5, 2, 4)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,...jk", [(2, 1, 3, 4), (6, 4, 5)]),
    ("i...,...j->j...i", [(3, 2), (2, 4)]),
    ("...->", [(2, 3)]),
    ("...i->i", [(2, 3)]),
    ("b...,b...->...", [(2, 3, 4), (2, 3, 4)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
    ("bn,anm,bm->ba", [(2, 3), (4, 3, 5), (2, 5)]),
    ("i,i,i->", [(4,), (4,), (4,)]),
    ("ii,ij->ij", [(3, 3), (3, 4)]),
    ("ij,jk->ik", [(3, 1), (4, 5)]),
    ("ij,ij->ij", [(1, 4), (3, 4)]),
    (",ij->ij", [(), (2, 3)]),
    (",", [(), ()]),
    (" b i j , b j k -> b i k ", [(2, 3, 4), (2, 4, 5)]),
    ("ij,jk->ik", [(3, 0), (0, 5)]),
]

MATMUL = [
    ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)),
    ((2, 3), (5, 3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (6, 1, 3, 4)), ((6, 5, 2, 3), (3, 4)), ((6, 5, 2, 3), (3,)), ((3,), (6, 5, 3, 4)), ((0, 3), (3, 4)),
    ((2, 0), (0, 4)), ((2, 3), (3, 0)), ((5, 2, 0), (0, 4)), ((0, 2, 3), (3, 4)), ((0, 2, 3), (0, 3, 4)), ((0,), (0,)),
]


def recorded(call, shapes, seed):
    xs = [tensor(seed + i, shape).requires_grad_() for i, shape in enumerate(shapes)]
    y = call(*xs)
    weights = tensor(seed + 99, tuple(y.shape))
    (y * weights).sum().backward()
    return {"inputs": [array(x) for x in xs], "weights": array(weights), "result": array(y),
            "gradients": [array(torch.zeros_like(x) if x.grad is None else x.grad) for x in xs]}


einsum, matmul = [], []
for i, (equation, shapes) in enumerate(EQUATIONS):
    einsum.append({"equation": equation, **recorded(lambda *xs: torch.einsum(equation, *xs), shapes, 1000 + 10 * i)})
for i, shapes in enumerate(MATMUL):
    matmul.append(recorded(torch.matmul, shapes, 5000 + 10 * i))
write(__file__, {
    "about": "Float64. gradients: of sum(result * weights) with respect to each input.",
    "einsum": einsum,
    "matmul": matmul,
})
