"""Losses and layers of nn/further_losses.h and nn/transformer_decoder.h, and operations of ops/further.h."""
import torch
from torch import nn
from torch.nn import functional as F

from formula import fill, sketch, uniform
from trace_io import array, write

ABOUT = (
    "'functions': 'name' (tests/nn/further_test.cpp calls the same), 'inputs': the sizes of formula.py's 'x0', 'x1', ..., "
    "'output' in full, and 'grads': the gradients of sum(output * uniform('y', its shape)) with respect to each. "
    "'modules': 'repr', 'state', and the same with sketches and the parameters' gradients. All float64."
)

TARGETS = torch.tensor([[1, 2, 2, 3], [3, 1, 0, 0], [2, 0, 0, 0]])
LENGTHS, T = torch.tensor([4, 2, 0]), 7


def ctc(targets=TARGETS, inputs=(7, 5, 6), lengths=LENGTHS, **options):
    return lambda x: F.ctc_loss(x.log_softmax(-1), targets, torch.tensor(inputs), lengths, **options)

BAGS, OFFSETS = torch.tensor([4, 1, 5, 0, 1, 3, 4]), torch.tensor([0, 3, 3, 5])


def bags(index=BAGS, offsets=OFFSETS, **options):
    return lambda w: F.embedding_bag(index, w, offsets, **options)


def unpooled(pool, unpool, kernel, size=None, **options):
    def call(x):
        y, indices = pool(x, kernel, return_indices=True, **options)
        return unpool(y, indices, kernel, output_size=size, **options)

    return call


def positive(x):
    return x * x + 0.1


FUNCTIONS = {
    "prelu": (lambda x, w: F.prelu(x, w), ((2, 3, 4), (3,))),
    "prelu_one": (lambda x, w: F.prelu(x, w), ((2, 3, 4), (1,))),
    "pairwise_distance": (lambda a, b: F.pairwise_distance(a, b), ((4, 3), (4, 3))),
    "pairwise_distance_1": (lambda a, b: F.pairwise_distance(a, b, 1.0, 1e-3, True), ((4, 3), (4, 3))),
    "cdist": (lambda a, b: torch.cdist(a, b), ((2, 4, 3), (2, 5, 3))),
    "cdist_1": (lambda a, b: torch.cdist(a, b, 1.0), ((4, 3), (5, 3))),
    "cumprod": (lambda x: torch.cumprod(x, 1), ((3, 4),)),
    "median": (lambda x: torch.median(x, 1)[0], ((3, 4),)),
    "atan2": (lambda a, b: torch.atan2(a, b), ((3, 4), (3, 4))),
    "triplet": (lambda a, p, n: F.triplet_margin_loss(a, p, n), ((4, 3), (4, 3), (4, 3))),
    "triplet_all": (lambda a, p, n: F.triplet_margin_loss(a, p, n, 0.5, 1, 1e-3, True, reduction="none"),
                    ((4, 3), (4, 3), (4, 3))),
    "gaussian": (lambda x, t, v: F.gaussian_nll_loss(x, t, positive(v)), ((4, 3), (4, 3), (4, 3))),
    "gaussian_full": (lambda x, t, v: F.gaussian_nll_loss(x, t, positive(v), True, 0.5, "sum"),
                      ((4, 3), (4, 3), (4, 1))),
    "bag_mean": (bags(), ((6, 3),)),
    "bag_sum": (bags(mode="sum", padding_idx=1), ((6, 3),)),
    "bag_mean_padded": (bags(mode="mean", padding_idx=1), ((6, 3),)),
    "bag_max": (bags(mode="max", padding_idx=4), ((6, 3),)),
    "bag_last": (bags(offsets=torch.tensor([0, 3, 7]), mode="sum", include_last_offset=True), ((6, 3),)),
    "bag_rows": (bags(BAGS[:6].reshape(2, 3), None, mode="max"), ((6, 3),)),
    "bag_weights": (lambda w, p: F.embedding_bag(BAGS, w, OFFSETS, mode="sum", per_sample_weights=p), ((6, 3), (7,))),
    "unpool1d": (unpooled(F.max_pool1d, F.max_unpool1d, 2), ((2, 3, 8),)),
    "unpool2d": (unpooled(F.max_pool2d, F.max_unpool2d, 2, (2, 3, 5, 7)), ((2, 3, 5, 7),)),
    "unpool2d_strided": (unpooled(F.max_pool2d, F.max_unpool2d, 3, (6, 7), stride=2, padding=1), ((3, 6, 7),)),
    "unpool3d": (unpooled(F.max_pool3d, F.max_unpool3d, (2, 1, 2)), ((1, 2, 4, 3, 4),)),
    "adaptive_indices": (lambda x: F.adaptive_max_pool2d(x, (2, 3), return_indices=True)[1] + 0 * x.sum(), ((2, 5, 7),)),
    "ctc": (ctc(), ((T, 3, 5),)),
    "ctc_none": (ctc(reduction="none", blank=4), ((T, 3, 5),)),
    "ctc_flat": (ctc(torch.tensor([1, 2, 2, 3, 3, 1]), reduction="sum"), ((T, 3, 5),)),
    "ctc_short": (ctc(inputs=(4, 5, 6), zero_infinity=True), ((T, 3, 5),)),
}  # fmt: skip


def modules():
    t, s, n, e = 4, 5, 2, 8
    causal = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)
    pad = torch.zeros(n, s, dtype=torch.bool)
    pad[0, 4] = True
    layer = lambda **o: nn.TransformerDecoderLayer(e, 2, 16, 0.0, **o)
    pair = ((t, n, e), (s, n, e))
    yield "decoder_layer", layer(), lambda m, a, b: m(a, b), pair
    yield ("decoder_layer_first", layer(activation="gelu", norm_first=True, batch_first=True),
           lambda m, a, b: m(a, b, tgt_mask=causal, memory_key_padding_mask=pad), ((n, t, e), (n, s, e)))  # fmt: skip
    yield ("decoder", nn.TransformerDecoder(layer(bias=False), 2, nn.LayerNorm(e)),
           lambda m, a, b: m(a, b, tgt_mask=causal), pair)  # fmt: skip
    yield ("transformer", nn.Transformer(e, 2, 2, 1, 16, 0.0),
           lambda m, a, b: m(a, b, tgt_mask=causal), ((s, n, e), (t, n, e)))  # fmt: skip


def gradients(y, named):
    (y * uniform("y", y.shape)).sum().backward()
    return {k: x.grad for k, x in named}


def main():
    functions, layers = [], []
    for name, (fn, sizes) in FUNCTIONS.items():
        xs = [uniform(f"x{i}", s).requires_grad_() for i, s in enumerate(sizes)]
        y = fn(*xs)
        grads = gradients(y, [(f"x{i}", x) for i, x in enumerate(xs)])
        functions.append({"name": name, "inputs": sizes, "output": array(y),
                          "grads": {k: array(g) for k, g in grads.items()}})  # fmt: skip
    for name, module, call, sizes in modules():
        entry = {"name": name, "repr": repr(module), "inputs": sizes}
        entry["state"] = {k: list(v.shape) for k, v in module.state_dict().items()}
        fill(module)
        xs = [uniform(f"x{i}", s).requires_grad_() for i, s in enumerate(sizes)]
        y = call(module, *xs)
        grads = gradients(y, [(f"x{i}", x) for i, x in enumerate(xs)] + list(module.named_parameters()))
        layers.append({**entry, "output": sketch(y), "grads": {k: sketch(g) for k, g in grads.items()}})
    write(__file__, {"about": ABOUT, "functions": functions, "modules": layers})


if __name__ == "__main__":
    main()
