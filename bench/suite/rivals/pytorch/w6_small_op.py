"""W6: what one small operation costs, without and with a graph, and a chain of 100 with its backward. The loop is
Python's; rivals/libtorch has the same without it."""
import torch
from common import Case

CASES = ["add", "add-recorded", "chain-100"]


def make(name):
    if name == "chain-100":
        def run(x):
            y = x
            for _ in range(100):
                y = y * x
            x.grad = None
            y.sum().backward()

        a, b = torch.ones(16, requires_grad=True), torch.full((16,), 1.01, requires_grad=True)

        def losses():
            run(b)
            return [b.grad.sum().item()]

        return Case(lambda: run(a), losses)
    a, b = torch.randn(16, requires_grad=name == "add-recorded"), torch.randn(16)
    return Case(lambda: a + b)
