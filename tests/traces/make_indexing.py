"""Records what PyTorch reads and writes for x[...]: see "about" in the result."""
import torch

from trace_io import array, flat, write

I = lambda *v: torch.tensor(v)
B = lambda *v: torch.tensor(v, dtype=torch.bool)
S, N, E = slice, None, Ellipsis
ALL = slice(None)

CASES = [
    # views
    ((5,), (2,)), ((5,), (-1,)), ((5,), (S(1, 4),)), ((5,), (S(None, None, 2),)), ((5,), (S(-3, -1),)),
    ((5,), (S(3, 1),)), ((5,), (N,)), ((5,), (E,)), ((2, 3, 4), (1, 2, 3)), ((2, 3, 4), (E, 1)),
    ((2, 3, 4), (0, E, S(1, None, 2))), ((2, 3, 4), (ALL, N, 1, N)), ((2, 3, 4), (N, E, N)),
    ((2, 3, 4), (E, S(100, 200))), ((2, 3, 4), (S(0, 100), -3)), ((2, 3, 4), (torch.tensor(1),)), ((), (E,)), ((), (N,)),
    # one index tensor
    ((5,), (I(0, -1, 2, 2),)), ((5,), (I().long(),)), ((4, 3), (I(3, 0),)), ((4, 3), (ALL, I(2, 0, 2))),
    ((4, 3), (torch.tensor([[0, 1], [3, -4]]),)), ((2, 3, 4), (ALL, I(1, 0))), ((2, 3, 4), (E, I(1, 0, 3))),
    ((2, 3, 4), (0, ALL, I(1, 0))), ((2, 3, 4), (S(1), torch.tensor([[2, 0]]))), ((4, 3), (I(1, 2).int(),)),
    ((2, 0, 3), (I(1, 0),)), ((2, 0, 3), (ALL, I().long())), ((4, 3), (N, I(0, 2))), ((4, 3), (I(0, 2), N)),
    # several
    ((4, 3), (I(0, 3, 3), I(1, -1, 1))), ((4, 3), (torch.tensor([[0], [2]]), I(1, 2))), ((2, 3, 4), (I(0, 1), ALL, I(2, 3))),
    ((2, 3, 4), (ALL, I(0, 1), I(2, 3))), ((2, 3, 4), (I(0, 1), I(2, 0))), ((2, 3, 4), (I(0, 1), N, I(2, 0))),
    ((2, 3, 4), (I(0, 1), 1, I(2, 0))), ((2, 3, 4), (0, ALL, I(2, 0))), ((2, 3, 4), (I(1, 1), S(0, 2), I(2, 2))),
    ((2, 3, 2, 2), (ALL, I(0, 2), S(1, 2), torch.tensor([[1], [0]]))), ((2, 3, 4), (I(1), I(2, 0), I(-1, -1))),
    ((2, 3, 4), (E, I(1, 2), torch.tensor(3))), ((2, 3, 4), (torch.tensor([[[1]]]), E, I(0, 3))),
    # masks
    ((5,), (B(1, 0, 1, 1, 0),)), ((5,), (B(0, 0, 0, 0, 0),)), ((2, 3), (torch.tensor([[1, 0, 1], [0, 1, 1]]).bool(),)),
    ((2, 3, 4), (torch.tensor([[1, 0, 1], [0, 1, 1]]).bool(),)), ((2, 3, 4), (ALL, B(1, 0, 1))),
    ((2, 3, 4), (B(0, 1), ALL, B(1, 0, 0, 1))), ((2, 3, 4), (B(1, 1), I(0, 2))), ((2, 3, 4), (E, B(1, 0, 0, 1), N)),
    ((2, 3), (torch.tensor(True),)), ((2, 3), (torch.tensor(False),)), ((2, 3), (ALL, torch.tensor(True))),
    ((2, 3, 4), (torch.tensor([[1, 0, 1], [0, 1, 1]]).bool(), I(1, 0, 2, 3))), ((), (torch.tensor(True),)),
]
ERRORS = [
    ((5,), (5,)), ((5,), (-6,)), ((2, 3), (0, 0, 0)), ((2, 3), (I(2),)), ((2, 3), (ALL, I(0, -4))), ((5,), (B(1, 0),)),
    ((2, 3), (I(0, 1), I(0, 1, 2))), ((2, 3), (I(0.0),)), ((), (0,)), ((2, 3), (B(1, 0), B(1, 0, 1), 1)),
    ((2, 3), (torch.tensor([[1, 0, 1], [0, 1, 1]]).bool(), 0)), ((2, 0), (ALL, I(0))),
]


def spelled(index):
    if index is E:
        return "..."
    if index is N:
        return None
    if isinstance(index, slice):
        return {"slice": [index.start, index.stop, index.step]}
    return {"tensor": array(index)} if isinstance(index, torch.Tensor) else index


def numbers(sizes, start=0.0):
    return torch.arange(torch.Size(sizes).numel(), dtype=torch.float64).reshape(sizes) + start


cases = []
for sizes, index in CASES:
    x = numbers(sizes).requires_grad_()
    read = x[index]
    weights = numbers(read.shape, 1)
    (grad,) = torch.autograd.grad(read, x, weights) if read.requires_grad else (torch.zeros(sizes),)
    # PyTorch's own index_put_ takes tensors only; reading, adding and writing is the same where no place comes twice,
    # and the gradient of reading is the sum where one does.
    added = numbers(sizes) + grad
    entry = {"x": list(sizes), "index": [spelled(i) for i in index], "read": array(read), "grad": flat(grad),
             "added": flat(added)}
    # Which of several values stays at a place is undefined, so those cases are not written.
    ones = torch.autograd.grad(x[index], x, torch.ones_like(read))[0]
    if ones.numel() == 0 or ones.max() <= 1:
        written, values = numbers(sizes).requires_grad_(), -numbers(read.shape, 1)
        values.requires_grad_()
        copy = written.clone()
        copy[index] = values
        down = numbers(sizes, 1)
        grads = torch.autograd.grad(copy, [written, values], down, allow_unused=True)
        entry |= {"written": flat(copy), "written_grad_x": flat(grads[0]),
                  "written_grad_values": flat(grads[1] if grads[1] is not None else torch.zeros_like(values))}
    cases.append(entry)

errors = []
for sizes, index in ERRORS:
    try:
        numbers(sizes)[index]
    except (IndexError, RuntimeError):
        errors.append({"x": list(sizes), "index": [spelled(i) for i in index]})
    else:
        raise AssertionError((sizes, index))

about = ("x counts from 0 in row-major order. read: x[index]. grad: the gradient in x of reading, weighted 1, 2, 3, ... "
         "added: x with 1, 2, 3, ... added at the places. written: x after x[index] = -1, -2, -3, ...; written_grad_*: "
         "the gradients of that in x and in the values, weighted 1, 2, 3, ... errors: what PyTorch refuses.")
write(__file__, {"about": about, "cases": cases, "errors": errors})
