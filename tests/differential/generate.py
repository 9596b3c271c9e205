"""Random cases of each kind for differential.py."""
import math
import random

import torch

from programs import ACTIVATIONS, BINARY, UNARY, Program

FLOATS = [torch.float32] * 3 + [torch.float64] * 2 + [torch.bfloat16, torch.float16]
WHOLE = [torch.int64, torch.int32, torch.uint8, torch.int8, torch.int16, torch.bool]
SIZES = [0, 1, 1, 2, 3, 5, 7, 8, 13, 16, 17, 31]
SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-42, -1e-30, 1e30, -1e38, 1.0, -1.0, 0.5, 2.5, -3.5]


def pick(values):
    return random.choice(values)


def chance(p):
    return random.random() < p


def sizes_of(rank, empty=True):
    return [pick(SIZES if empty else SIZES[1:]) for _ in range(rank)]


def numbers(sizes, dtype, special=0.0, low=-3.0, high=3.0):
    n = math.prod(sizes)
    if not dtype.is_floating_point:
        top = 2 if dtype == torch.bool else 200 if dtype == torch.uint8 else 50
        low = 0 if dtype in (torch.bool, torch.uint8) else -top
        return torch.tensor([random.randrange(low, top) for _ in range(n)], dtype=torch.int64).reshape(sizes).to(dtype)
    values = [pick(SPECIAL) if chance(special) else random.uniform(low, high) for _ in range(n)]
    return torch.tensor(values, dtype=torch.float64).reshape(sizes).to(dtype)


def distinct(sizes, dtype):
    """Multiples of a quarter in random order, which bfloat16 holds too where they are few."""
    n = math.prod(sizes)
    return ((torch.tensor(random.sample(range(n), n), dtype=torch.float64) - n // 2) / 4).reshape(sizes).to(dtype)


def laid_out(p, x, grad=None):
    """A leaf whose view, of some layout, is x."""
    kind = pick(["plain", "plain", "permuted", "steps", "offset", "expanded", "last"])
    rank = x.dim()
    if kind == "permuted" and rank > 1:
        dims = random.sample(range(rank), rank)
        i = p.leaf(x.permute(dims).contiguous(), grad)
        return p.step("permute", [i], dims=[dims.index(d) for d in range(rank)])
    if kind in ("steps", "offset") and rank > 0:
        d, step = random.randrange(rank), 2 if kind == "steps" else 1
        shape = list(x.shape)
        shape[d] = shape[d] * step + 1
        base = torch.zeros(shape, dtype=x.dtype)
        at = (slice(None),) * d + (slice(1, None, step),)
        base[at] = x
        i = p.leaf(base, grad)
        return p.step("slice", [i], dim=d, start=1, stop=None, step=step)
    if kind == "expanded" and rank > 0 and x.numel() > 0:
        d = random.randrange(rank)
        i = p.leaf(x.narrow(d, 0, 1).contiguous(), grad)
        return p.step("expand", [i], sizes=list(x.shape))
    if kind == "last" and rank == 4:
        i = p.leaf(x.permute(0, 2, 3, 1).contiguous(), grad)
        return p.step("permute", [i], dims=[0, 3, 1, 2])
    return p.leaf(x, grad)


def dims_of(rank):
    return random.sample(range(rank), random.randrange(rank + 1)) if rank else []


def pointwise():
    p = Program("pointwise")
    dtype = pick(FLOATS + WHOLE)
    name = pick(UNARY + ACTIVATIONS + ["clamp", "softmax", "log_softmax", "isnan", "isinf", "isfinite", "logical_not"])
    x = laid_out(p, numbers(sizes_of(random.randrange(5)), dtype, pick([0, 0, 0.3])))
    k = {"clamp": {"min": pick([None, -0.7]), "max": 0.9}, "leaky_relu": {"negative_slope": pick([0.1, -0.3, 0.0])},
         "hardtanh": {"min_val": -0.3, "max_val": 0.7}, "elu": {"alpha": pick([0.5, 2.0])},
         "gelu": {"approximate": pick(["none", "tanh"])},
         "softplus": {"beta": pick([0.5, 2.0]), "threshold": 20.0}}.get(name, {})
    if "softmax" in name:
        k = {"dim": random.randrange(max(1, p.tensors[x].dim()))}
    return p.finish(p.step(name, [x], **k), second=dtype == torch.float64 and chance(0.6))


def broadcast():
    p = Program("broadcast and types")
    sizes = sizes_of(random.randrange(4))
    other = [1 if chance(0.3) else s for s in sizes][random.randrange(len(sizes) + 1):]
    types = [pick(FLOATS + WHOLE), pick(FLOATS + WHOLE)]
    special = pick([0, 0, 0.3])
    a = laid_out(p, numbers(sizes, types[0], special))
    name = pick(BINARY + ["where", "lerp"])
    if name == "where":
        b = laid_out(p, numbers(other, types[1], special))
        c = laid_out(p, numbers(sizes, torch.bool))
        y = p.step(name, [c, a, b])
    elif name == "lerp":
        a = laid_out(p, numbers(sizes, torch.float64, special))
        y = p.step(name, [a, laid_out(p, numbers(other, torch.float64, special))], weight=pick([0.3, 0.8]))
    elif chance(0.3):
        y = p.step(name, [a], number=pick([2, -3, 0.5, 1e30, 3.0, 1, 0]))
    else:
        y = p.step(name, [a, laid_out(p, numbers(other, types[1], special))])
    return p.finish(y, second=chance(0.3))


def reduction():
    p = Program("reductions")
    name = pick(["sum", "mean", "amax", "amin", "prod", "logsumexp", "var", "std", "norm", "cumsum", "argmax", "argmin",
                 "max_values", "min_indices", "all", "any"])
    floating = name in ("mean", "var", "std", "norm", "logsumexp")
    dtype = pick(FLOATS if floating or chance(0.7) else WHOLE)
    rank = random.randrange(5)
    sizes = sizes_of(rank) if chance(0.8) else [pick([100, 257, 1000]), pick([1, 3, 70])][:max(1, rank % 3)]
    rank = len(sizes)
    tied = name in ("argmax", "argmin", "max_values", "min_indices", "amax", "amin")
    x = numbers(sizes, dtype, pick([0, 0, 0.05]))
    if floating and chance(0.3):
        x = x * pick([1e25, 1e-25]) if dtype != torch.bfloat16 else torch.full_like(x, 300.7)
    if tied and dtype.is_floating_point:
        x = distinct(sizes, dtype)
    x = laid_out(p, x)
    keepdim, one = chance(0.5), random.randrange(max(1, rank))
    if name in ("var", "std"):
        k = {"dim": dims_of(rank), "correction": pick([0, 1, 1, 2]), "keepdim": keepdim}
    elif name == "norm":
        k = {"p": pick([0, 1, 2, 2, 3, 0.5, "inf"]), "dim": dims_of(rank), "keepdim": keepdim}
    elif name in ("cumsum", "all", "any"):
        k = {"dim": one}
    elif name in ("argmax", "argmin", "max_values", "min_indices", "prod"):
        k = {"dim": one, "keepdim": keepdim}
    else:
        k = {"dim": dims_of(rank) or list(range(rank)), "keepdim": keepdim}
    return p.finish(p.step(name, [x], **k), second=dtype == torch.float64 and chance(0.6))


def view_step(p, x):
    """Some view of x, or a copy."""
    shape = list(p.tensors[x].shape)
    rank = len(shape)
    d = random.randrange(max(1, rank))
    name = pick(["permute", "transpose", "slice", "narrow", "select", "unsqueeze", "squeeze", "flatten", "reshape",
                 "expand", "chunk", "split", "contiguous"])
    if rank == 0 and name not in ("unsqueeze", "squeeze", "flatten", "contiguous"):
        name = "unsqueeze"
    size = shape[d] if rank else 0
    if name in ("select", "narrow") and size == 0:
        name = "contiguous"
    k = {"permute": {"dims": random.sample(range(rank), rank)},
         "transpose": {"dims": [d, random.randrange(max(1, rank))]},
         "slice": {"dim": d, "start": pick([None, 0, 1, -2, 5]), "stop": pick([None, 1, -1, 100]),
                   "step": pick([1, 2, 3])},
         "narrow": {"dim": d, "start": 0, "length": random.randrange(size + 1)},
         "select": {"dim": d, "index": pick([0, -1])}, "unsqueeze": {"dim": random.randrange(rank + 1)},
         "flatten": {"start": 0, "end": -1}, "reshape": {"sizes": [-1] if math.prod(shape) else [0]},
         "expand": {"sizes": [3] + [-1] * rank}, "chunk": {"chunks": pick([1, 2, 3]), "dim": d, "take": 0},
         "split": {"size": pick([1, 2, 3]), "dim": d, "take": 0}}.get(name, {})
    return p.step(name, [x], **k)


def views():
    p = Program("views")
    x = laid_out(p, numbers(sizes_of(random.randrange(1, 5)), pick(FLOATS + WHOLE)))
    for _ in range(random.randrange(1, 5)):
        x = view_step(p, x)
    return p.finish(x, second=False)


def in_place():
    """Views of one tensor, changed in place in turns."""
    p = Program("views changed in place")
    dtype = pick([torch.float32, torch.float64, torch.float64, torch.int64])
    leaf = p.leaf(numbers(sizes_of(random.randrange(1, 4)), dtype))
    x = p.step("clone", [leaf])
    seen = [x]
    for _ in range(random.randrange(2, 7)):
        y = pick(seen)
        if chance(0.5):
            seen.append(view_step(p, y))
            continue
        shape = p.tensors[y].shape
        name = pick(["add_", "mul_", "sub_", "copy_", "fill_", "clamp_", "relu_", "zero_", "index_put", "mul", "square"])
        if name in ("add_", "mul_", "sub_", "copy_", "mul"):
            other = p.leaf(numbers(list(shape)[random.randrange(len(shape) + 1):], dtype))
            seen.append(p.step(name, [y, other]))
        elif name == "index_put" and len(shape) and shape[0] > 0:
            value = p.leaf(numbers([], dtype))
            seen.append(p.step(name, [y, value], index=[pick([0, -1, {"start": 0, "stop": None, "step": 2}])]))
        elif name == "fill_":
            p.step(name, [y], value=2)
        elif name == "clamp_":
            p.step(name, [y], min=-1, max=1)
        elif name in ("relu_", "zero_"):
            p.step(name, [y])
        elif name == "square":
            seen.append(p.step(name, [y]))
    return p.finish(*dict.fromkeys(seen), second=dtype == torch.float64 and chance(0.3))


def indexing():
    p = Program("indexing")
    dtype = pick(FLOATS + WHOLE)
    name = pick(["index", "index", "index_put", "gather", "scatter", "scatter_add", "index_select", "index_add",
                 "masked_select", "masked_fill", "nonzero", "sort", "argsort", "topk", "one_hot", "embedding", "cat",
                 "stack", "flip", "roll", "repeat", "tril", "triu"])
    sizes = sizes_of(random.randrange(1, 4), name not in ("index", "index_put", "embedding", "topk"))
    rank, d = len(sizes), random.randrange(len(sizes))
    second = dtype == torch.float64 and chance(0.3)
    if name in ("index", "index_put"):
        x = laid_out(p, numbers(sizes, dtype))
        spec = []
        for s in sizes[:random.randrange(1, rank + 1)]:
            spec.append(pick([0, -1, {"start": pick([None, 1]), "stop": None, "step": pick([1, 2])}, "tensor", "tensor"]))
        if chance(0.2):
            spec.insert(random.randrange(len(spec) + 1), None)
        count, out, at = pick([1, 3]), [], 0
        for part in spec:
            if part == "tensor":
                part = {"tensor": p.leaf(torch.tensor([random.randrange(-sizes[at], sizes[at]) for _ in range(count)]))}
            at += part is not None
            out.append(part)
        if name == "index":
            return p.finish(p.step("index", [x], index=out), second=second)
        y = p.step("clone", [x])
        # One value: the order of several for one place is nobody's promise.
        return p.finish(p.step("index_put", [y, p.leaf(numbers([], dtype))], index=out), second=second)
    if name == "embedding":
        index = p.leaf(torch.tensor([[random.randrange(sizes[0]) for _ in range(4)] for _ in range(2)]))
        w = p.leaf(numbers([sizes[0], 5], pick(FLOATS)))
        return p.finish(p.step(name, [index, w], padding_idx=pick([None, 0, -1])))
    if name == "one_hot":
        return p.finish(p.step(name, [p.leaf(torch.randint(0, 5, sizes))], classes=pick([-1, 5, 9]) if
                               math.prod(sizes) else 5))
    if name in ("cat", "stack"):
        xs = []
        for _ in range(pick([1, 2, 3])):
            own = list(sizes)
            if name == "cat":
                own[d] = pick([0, 1, 4])
            xs.append(laid_out(p, numbers(own, dtype if chance(0.8) else pick(FLOATS))))
        return p.finish(p.step(name, xs, dim=d), second=second)
    ordered = name in ("sort", "argsort", "topk") and dtype.is_floating_point
    x = laid_out(p, distinct(sizes, dtype) if ordered else numbers(sizes, dtype))
    n = sizes[d]
    if name in ("gather", "scatter", "scatter_add"):
        own = [random.randrange(s + 1) for s in sizes]
        own[d] = pick([0, 1, 3]) if name != "scatter" else min(n, pick([0, 1]))
        if n == 0:
            own[d] = 0
        index = p.leaf(torch.randint(0, max(1, n), own))
        k = [x, index] + ([p.leaf(numbers(own, dtype))] if name != "gather" else [])
        return p.finish(p.step(name, k, dim=d), second=second)
    if name in ("index_select", "index_add"):
        index = p.leaf(torch.randint(0, max(1, n), [pick([1, 4]) if n else 0]))
        ins = [x, index]
        if name == "index_add":
            shape = list(sizes)
            shape[d] = p.tensors[index].numel()
            ins.append(p.leaf(numbers(shape, dtype)))
        return p.finish(p.step(name, ins, dim=d), second=second)
    if name in ("masked_select", "masked_fill"):
        mask = p.leaf(numbers([1 if chance(0.3) else s for s in sizes], torch.bool))
        return p.finish(p.step(name, [x, mask], **({"value": 1} if name == "masked_fill" else {})), second=second)
    k = {"nonzero": {}, "sort": {"dim": d, "descending": chance(0.5)}, "argsort": {"dim": d, "descending": chance(0.5)},
         "topk": {"k": random.randrange(n + 1), "dim": d, "largest": chance(0.5)},
         "flip": {"dims": dims_of(rank)}, "roll": {"shifts": [pick([-20, 1, 5])], "dims": [d]},
         "repeat": {"repeats": [pick([0, 1, 2, 3]) for _ in range(rank + pick([0, 1]))]},
         "tril": {"diagonal": pick([-1, 0, 2])}, "triu": {"diagonal": pick([-1, 0, 2])}}[name]
    return p.finish(p.step(name, [x], **k), second=second and name not in ("nonzero", "argsort"))


def product():
    p = Program("products")
    dtype = pick(FLOATS + [torch.int64])
    size = lambda: pick([0, 1, 2, 3, 7, 8, 17, 33, 64] if chance(0.9) else [130])
    m, k, n, b = size(), size(), size(), pick([0, 1, 2, 3])
    t = lambda *sizes: laid_out(p, numbers(list(sizes), dtype))
    name = pick(["mm", "bmm", "matmul", "matmul", "linear", "linear", "addmm", "outer", "dot", "einsum", "bilinear"])
    extra = {}
    if name == "mm":
        ins = [t(m, k), t(k, n)]
    elif name == "bmm":
        ins = [t(b, m, k), t(b, k, n)]
    elif name == "matmul":
        a = pick([[k], [m, k], [b, m, k], [2, 1, m, k]])
        c = pick([[k], [k, n], [1, k, n], [b, k, n]])
        ins = [t(*a), t(*c)]
    elif name == "linear":
        ins = [t(*pick([[k], [m, k], [2, m, k]])), t(n, k)] + ([t(n)] if chance(0.7) else [])
    elif name == "addmm":
        ins, extra = [t(*pick([[n], [m, n], [1, n]])), t(m, k), t(k, n)], {"beta": pick([0, 1, 2]), "alpha": pick([1, 3])}
    elif name == "outer":
        ins = [t(m), t(n)]
    elif name == "dot":
        ins = [t(k), t(k)]
    elif name == "bilinear":
        ins = [t(m, 3), t(m, 4), t(n, 3, 4)] + ([t(n)] if chance(0.5) else [])
    else:
        equation, shapes = pick([("ij,jk->ik", [[m, k], [k, n]]), ("bij,bkj->bik", [[b, m, k], [b, n, k]]),
                                 ("ii->i", [[m, m]]), ("ij->ji", [[m, n]]), ("ij,ij->", [[m, n], [m, n]]),
                                 ("i,j,k->kij", [[2], [3], [k]]), ("...i,ij->...j", [[2, m, k], [k, n]])])
        ins, extra = [t(*s) for s in shapes], {"equation": equation}
    return p.finish(p.step(name, ins, **extra), second=dtype == torch.float64 and chance(0.5))


def layer():
    p = Program("convolution, pooling, resizing")
    dtype = pick(FLOATS)
    n, batch = pick([1, 2, 2, 2, 3]), pick([1, 2, 3])
    space = [pick([1, 3, 5, 8, 13] if n < 3 else [1, 3, 5]) for _ in range(n)]
    name = pick(["conv", "conv", "conv_transpose", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool",
                 "interpolate", "pad", "pixel_shuffle"])
    second = dtype == torch.float64 and chance(0.5)
    one = lambda *values: [pick(list(values)) for _ in range(n)]
    if name in ("conv", "conv_transpose"):
        groups = pick([1, 1, 2, 4])
        ins, outs = groups * pick([1, 2, 3, 8]), groups * pick([1, 2, 5, 8])
        kernel, dilation, padding, stride = one(1, 2, 3), one(1, 1, 2), one(0, 1, 2), one(1, 1, 2, 3)
        x = laid_out(p, numbers([batch, ins] + space, dtype))
        shape = [outs, ins // groups] if name == "conv" else [ins, outs // groups]
        w = laid_out(p, numbers(shape + kernel, dtype))
        given = [x, w] + ([p.leaf(numbers([outs], dtype))] if chance(0.7) else [])
        k = dict(n=n, stride=stride, padding=padding, dilation=dilation, groups=groups)
        if name == "conv_transpose":
            k["output_padding"] = [0 if s == d == 1 else pick([0, max(s, d) - 1]) for s, d in zip(stride, dilation)]
        return p.finish(p.step(name, given, **k), second=second)
    sizes = [batch, pick([1, 3, 4, 8, 32])] + space
    x = laid_out(p, distinct(sizes, dtype) if "max" in name else numbers(sizes, dtype))
    if name == "pixel_shuffle":
        x = laid_out(p, numbers([batch, 12, 2, 3], dtype))
        return p.finish(p.step(name, [x], factor=2), second=second)
    if "adaptive" in name:
        return p.finish(p.step(name, [x], n=n, size=one(1, 2, 3, 7)), second=second)
    if "pool" in name:
        kernel = one(1, 2, 3)
        k = dict(n=n, kernel=kernel, stride=one(1, 2, 3), padding=[random.randrange(s // 2 + 1) for s in kernel],
                 ceil_mode=chance(0.4))
        k |= {"dilation": one(1, 1, 2)} if name == "max_pool" else {"count_include_pad": chance(0.5)}
        return p.finish(p.step(name, [x], **k), second=second)
    if name == "pad":
        mode = pick(["constant", "reflect", "replicate", "circular"])
        padding = [random.randrange(0, 3) for _ in range(2 * n)]
        return p.finish(p.step(name, [x], padding=padding, mode=mode, value=1.5), second=second)
    mode = pick(["nearest", "nearest-exact", {1: "linear", 2: pick(["bilinear", "bicubic"]), 3: "trilinear"}[n]])
    k = {"size": one(1, 2, 5, 9, 16)} if chance(0.6) else {"scale_factor": one(0.5, 1.5, 2.0, 3.0)}
    k |= {"mode": mode} | ({} if "nearest" in mode else {"align_corners": chance(0.5)})
    if "scale_factor" in k and chance(0.5):
        k["recompute_scale_factor"] = True
    return p.finish(p.step(name, [x], **k), second=second)


def norm():
    p = Program("normalisation and attention")
    dtype = pick(FLOATS)
    name = pick(["batch_norm", "batch_norm", "batch_norm_eval", "instance_norm", "layer_norm", "group_norm",
                 "cosine_similarity", "normalize", "attention", "attention"])
    second = dtype == torch.float64 and chance(0.5)
    c, space = pick([1, 2, 4, 8, 32]), [pick([1, 2, 5, 7]) for _ in range(pick([0, 1, 2, 2, 2, 3]))]
    values = lambda sizes: pick([numbers(sizes, dtype)] * 3 + [numbers(sizes, dtype) + 1000,
                                                              torch.full(sizes, 300.7).to(dtype)])
    k = {"eps": pick([1e-5, 1e-3])}
    if name == "attention":
        e, lead = pick([1, 4, 8]), pick([[], [2], [2, 3]])
        q, s = pick([1, 3, 5]), pick([1, 3, 6])
        ins = [laid_out(p, numbers(lead + [q, e], dtype)), laid_out(p, numbers(lead + [s, e], dtype)),
               laid_out(p, numbers(lead + [s, pick([1, 4])], dtype))]
        causal = chance(0.3)
        if not causal and chance(0.5):
            mask = numbers([q, s], torch.bool) if chance(0.5) else numbers([q, s], dtype)
            ins.append(p.leaf(mask, False))
        return p.finish(p.step(name, ins, is_causal=causal), second=second)
    if name in ("cosine_similarity", "normalize"):
        sizes = sizes_of(pick([2, 3]))
        x = laid_out(p, numbers(sizes, dtype))
        if name == "normalize":
            return p.finish(p.step(name, [x], p=pick([1, 2, 3]), dim=1), second=second)
        return p.finish(p.step(name, [x, laid_out(p, numbers(sizes, dtype))], dim=1), second=second)
    if name == "instance_norm" and math.prod(space) < 2:
        space = [3, 3]
    sizes = [pick([2, 3, 5]), c] + space
    x = laid_out(p, values(sizes))
    affine = lambda shape: [p.leaf(numbers(shape, dtype)), p.leaf(numbers(shape, dtype))] if chance(0.6) else []
    if name == "layer_norm":
        shape = sizes[-pick([1, 2]):]
        return p.finish(p.step(name, [x] + affine(shape), shape=shape, **k), second=second)
    if name == "group_norm":
        return p.finish(p.step(name, [x] + affine([c]), groups=pick([g for g in (1, 2, 4, 8) if c % g == 0]), **k),
                        second=second)
    if name == "batch_norm_eval":
        ins = [x, p.leaf(numbers([c], dtype), False), p.leaf(numbers([c], dtype, low=0.5), False)]
        return p.finish(p.step(name, ins + affine([c]), **k), second=second)
    return p.finish(p.step(name, [x] + affine([c]), **k), second=second)


def losses():
    p = Program("losses")
    dtype = pick(FLOATS)
    name = pick(["cross_entropy"] * 3 + ["nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
                                        "mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "kl_div",
                                        "cosine_embedding_loss"])
    second = dtype == torch.float64 and chance(0.6)
    k = {"reduction": pick(["none", "mean", "sum"])}
    if name in ("cross_entropy", "nll_loss"):
        c, shape = pick([1, 2, 5, 17]), pick([[], [1], [4], [3, 2], [2, 3, 2]])
        sizes = [c] if not shape else [shape[0], c] + shape[1:]
        x = laid_out(p, numbers(sizes, dtype, low=-9, high=9))
        if name == "nll_loss":
            x = p.step("log_softmax", [x], dim=min(1, len(sizes) - 1))
        if name == "cross_entropy" and chance(0.3):
            target = p.leaf(torch.softmax(numbers(sizes, dtype), min(1, len(sizes) - 1)), chance(0.3))
        else:
            index = torch.randint(0, c, shape)
            target = p.leaf(torch.where(torch.rand(shape) < 0.2, torch.tensor(-100), index))
        ins = [x, target]
        if chance(0.4):
            ins.append(p.leaf(numbers([c], dtype, low=0.1), False))
            k["weight"] = 2
        if name == "cross_entropy" and chance(0.4):
            k["label_smoothing"] = pick([0.1, 0.5, 1.0])
        return p.finish(p.step(name, ins, **k), second=second)
    sizes = sizes_of(pick([1, 2, 3]), chance(0.2))
    low, high = (0.01, 0.99) if name == "binary_cross_entropy" else (-3, 3)
    if name == "cosine_embedding_loss":
        sizes = [pick([1, 4]), pick([1, 5])]
        ins = [laid_out(p, numbers(sizes, dtype)), laid_out(p, numbers(sizes, dtype)),
               p.leaf(torch.tensor([pick([-1.0, 1.0]) for _ in range(sizes[0])]).to(dtype), False)]
        return p.finish(p.step(name, ins, margin=pick([0.0, 0.3]), **k), second=second)
    x = laid_out(p, numbers(sizes, dtype, low=low, high=high))
    target = p.leaf(numbers(sizes, dtype, low=0, high=1), name in ("mse_loss", "l1_loss") and chance(0.5))
    ins = [x, target]
    if name == "kl_div":
        k = {"reduction": pick(["none", "mean", "sum", "batchmean"]), "log_target": chance(0.3)}
    if name == "huber_loss":
        k["delta"] = pick([0.5, 1.0])
    if name == "smooth_l1_loss":
        k["beta"] = pick([0.0, 0.5, 1.0])
    if name.startswith("binary") and chance(0.4):
        k["weight"] = len(ins)
        ins.append(p.leaf(numbers([sizes[-1]], dtype, low=0.1), False))
    if name == "binary_cross_entropy_with_logits" and chance(0.4):
        k["pos_weight"] = len(ins)
        ins.append(p.leaf(numbers([sizes[-1]], dtype, low=0.1), False))
    return p.finish(p.step(name, ins, **k), second=second)


def creation():
    p = Program("creation")
    name = pick(["arange", "arange", "linspace", "full", "eye"])
    whole = chance(0.5)
    start, step = (random.randrange(-2**62, 2**62), pick([1, 7, -3, 2**40])) if whole and chance(0.5) else (
        random.randrange(-9, 9), pick([1, 2, -1])) if whole else (random.uniform(-5, 5), pick([0.1, 0.3, -0.7]))
    k = {"arange": {"start": start, "end": start + step * random.randrange(1, 9), "step": step},
         "linspace": {"start": random.uniform(-5, 5), "end": random.uniform(-5, 5), "steps": pick([0, 1, 2, 5, 100])},
         "full": {"sizes": sizes_of(2), "value": pick([1, True, 2.5])}, "eye": {"n": pick([0, 1, 3]), "m": pick([0, 1, 5])}}
    return p.finish(p.step(name, [], **k[name]))


def further():
    p = Program("further operations and losses")
    dtype = pick(FLOATS)
    second = dtype == torch.float64 and chance(0.4)
    name = pick(["prelu", "atan2", "cumprod", "median_values", "pairwise_distance", "cdist", "repeat_interleave", "unique",
                 "scatter_value", "rms_norm", "embedding_bag", "embedding_bag", "triplet_margin_loss", "gaussian_nll_loss",
                 "ctc_loss", "ctc_loss"])
    t = lambda sizes, **k: laid_out(p, numbers(sizes, dtype, **k))
    sizes = sizes_of(random.randrange(1, 4), chance(0.3))
    rank, d = len(sizes), random.randrange(len(sizes))
    reduction = pick(["none", "mean", "sum"])
    if name == "prelu":
        return p.finish(p.step(name, [t(sizes), t([1] if rank < 2 or chance(0.5) else [sizes[1]])]), second=second)
    if name == "atan2":
        other = sizes if chance(0.6) else [1 if chance(0.4) else s for s in sizes]
        return p.finish(p.step(name, [t(sizes, special=pick([0, 0.2])), t(other, special=pick([0, 0.2]))]), second=second)
    if name == "cumprod":
        return p.finish(p.step(name, [t(sizes, low=-1.5, high=1.5)], dim=d), second=second)
    if name == "median_values":
        sizes[d] = max(1, sizes[d])
        x = laid_out(p, distinct(sizes, torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype))
        return p.finish(p.step(name, [x], dim=d, keepdim=chance(0.5)))
    if name == "pairwise_distance":
        return p.finish(p.step(name, [t(sizes), t(sizes)], p=pick([1, 2, 3]), eps=1e-6, keepdim=chance(0.5)), second=second)
    if name == "cdist":
        lead, m = pick([[], [2], [2, 3]]), pick([1, 3, 7])
        ins = [t(lead + [pick([0, 1, 4, 30]), m]), t(lead + [pick([1, 3, 28]), m])]
        return p.finish(p.step(name, ins, p=pick([1, 2, 2, 3])))
    if name == "repeat_interleave":
        x = laid_out(p, numbers(sizes, pick(FLOATS + WHOLE)))
        dim = pick([None, d])
        if chance(0.5):
            return p.finish(p.step(name, [x], repeats=random.randrange(4), dim=dim), second=second)
        n = math.prod(sizes) if dim is None else sizes[d]
        return p.finish(p.step(name, [x, p.leaf(torch.randint(0, 4, [n]))], dim=dim), second=second)
    if name == "unique":
        return p.finish(p.step(name, [laid_out(p, numbers(sizes, pick(WHOLE)))]))
    if name == "scatter_value":
        index = p.leaf(torch.randint(0, max(1, sizes[d]), [random.randrange(s + 1) for s in sizes]))
        return p.finish(p.step(name, [t(sizes), index], dim=d, value=2.5), second=second)
    if name == "rms_norm":
        shape = sizes[-pick([1, 2]):]
        return p.finish(p.step(name, [t(sizes)] + ([p.leaf(numbers(shape, dtype))] if chance(0.6) else []), shape=shape,
                               eps=pick([None, 1e-5, 1e-2])), second=second)
    if name == "embedding_bag":
        rows, n, mode = pick([1, 3, 7]), pick([1, 4, 9]), pick(["sum", "mean", "max"])
        offsets, weights = chance(0.6), mode == "sum" and chance(0.5)
        shape = [n] if offsets else [pick([1, 3]), n]
        last = offsets and chance(0.3)
        ins = [p.leaf(torch.randint(0, rows, shape)), t([rows, pick([1, 5])])]
        if offsets:
            at = sorted(random.randrange(n + 1) for _ in range(pick([0, 1, 3])))
            ins.append(p.leaf(torch.tensor([0] + at + ([n] if last else []))))
        if weights:
            ins.append(p.leaf(numbers(shape, dtype)))
        return p.finish(p.step(name, ins, mode=mode, offsets=offsets, weights=weights, include_last_offset=last,
                               padding_idx=pick([None, None, 0])), second=second and mode != "max")
    if name == "triplet_margin_loss":
        return p.finish(p.step(name, [t(sizes), t(sizes), t(sizes)], margin=pick([0.5, 1.0]), p=pick([1.0, 2.0]),
                               swap=chance(0.3), reduction=reduction), second=second)
    if name == "gaussian_nll_loss":
        ins = [t(sizes), t(sizes), p.leaf(numbers(sizes[:-1] + [1] if chance(0.3) else sizes, dtype, low=0.0, high=2.0))]
        return p.finish(p.step(name, ins, full=chance(0.5), eps=pick([1e-6, 1e-2]), reduction=reduction), second=second)
    dtype = pick([torch.float32, torch.float64])
    steps, batch, classes, longest = pick([1, 5, 12]), pick([1, 3]), pick([2, 5]), pick([1, 3, 5])
    x = p.step("log_softmax", [laid_out(p, numbers([steps, batch, classes], dtype))], dim=2)
    blank = pick([0, 0, classes - 1])
    symbols = [c for c in range(classes) if c != blank]
    lengths = [random.randrange(longest + 1) for _ in range(batch)]
    flat = chance(0.4)
    target = torch.tensor([pick(symbols) for _ in range(sum(lengths) if flat else batch * longest)], dtype=torch.int64)
    ins = [x, p.leaf(target if flat else target.reshape(batch, longest)),
           p.leaf(torch.tensor([random.randrange(steps // 2, steps + 1) for _ in range(batch)])), p.leaf(torch.tensor(lengths))]
    return p.finish(p.step("ctc_loss", ins, blank=blank, reduction=reduction, zero_infinity=chance(0.5)))


KINDS = [pointwise, broadcast, reduction, views, in_place, indexing, product, layer, norm, losses, creation, further,
         further]
