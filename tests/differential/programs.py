"""Random programs of tensor operations for differential.py: what a program is, and how PyTorch runs it."""
import struct

import torch
import torch.nn.functional as F

TYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "int64": torch.int64,
         "int32": torch.int32, "uint8": torch.uint8, "bool": torch.bool, "float16": torch.float16, "int8": torch.int8,
         "int16": torch.int16}


def named(dtype):
    return str(dtype).split(".")[1]


def packed(x):
    """A tensor as JSON: the bits of float64 or int64, as hexadecimal digits."""
    x = x.detach()
    whole = not x.is_floating_point()
    values = x.to(torch.int64 if whole else torch.float64).reshape(-1).tolist()
    return {"dtype": named(x.dtype), "sizes": list(x.shape),
            "data": struct.pack(f"<{len(values)}{'q' if whole else 'd'}", *values).hex()}


def restored(leaf):
    """The tensor that packed() packed, with its own need of a gradient."""
    values = bytes.fromhex(leaf["data"])
    whole = not TYPES[leaf["dtype"]].is_floating_point
    x = torch.tensor(struct.unpack(f"<{len(values) // 8}{'q' if whole else 'd'}", values),
                     dtype=torch.int64 if whole else torch.float64)
    return x.reshape(leaf["sizes"]).to(TYPES[leaf["dtype"]]).requires_grad_(leaf["grad"])


def weights(like):
    """What stands for the gradient of a result: numbers that differ, the same on both sides."""
    i = torch.arange(like.numel(), dtype=torch.float64)
    return (((i * 7 + 3) % 11 - 5) / 4 + 0.125).reshape(like.shape).to(like.dtype)


def index_of(spec, tensors):
    """x[...]: integers, slices, "...", None, and tensors by their place in the program."""
    out = []
    for part in spec:
        if isinstance(part, dict):
            out.append(tensors[part["tensor"]] if "tensor" in part else slice(part["start"], part["stop"], part["step"]))
        else:
            out.append(Ellipsis if part == "..." else part)
    return tuple(out)


def reduced(name):
    return lambda t, k: getattr(torch, name)(t[0], **({"dim": k["dim"], "keepdim": k["keepdim"]} if "dim" in k else {}))


def var_of(name):
    return lambda t, k: getattr(torch, name)(t[0], dim=k["dim"] or None, correction=k["correction"],
                                             keepdim=k["keepdim"])


def inplace(name):
    return lambda t, k: getattr(t[0], name)(*t[1:], **k)


def loss(name):
    def run(t, k):
        k = dict(k)
        for word in ("weight", "pos_weight"):
            if word in k:
                k[word] = t[k[word]]
        return getattr(F, name)(t[0], t[1], *(t[2:3] if name == "cosine_embedding_loss" else ()), **k)
    return run


def with_index(t, k, everything):
    return t[0][index_of(k["index"], everything)]


def put_index(t, k, everything):
    t[0][index_of(k["index"], everything)] = t[1]
    return t[0]


UNARY = ["neg", "abs", "sign", "floor", "ceil", "round", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt",
         "square", "reciprocal", "sin", "cos", "tan", "atan", "tanh", "erf", "relu", "sigmoid"]
BINARY = ["add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "maximum", "minimum", "eq", "ne", "lt", "le",
          "gt", "ge", "logical_and", "logical_or", "logical_xor"]
ACTIVATIONS = ["relu6", "leaky_relu", "hardtanh", "elu", "gelu", "silu", "logsigmoid", "softplus"]

OPS = {name: (lambda n: lambda t, k: getattr(torch, n)(t[0]))(name) for name in UNARY}
OPS |= {name: (lambda n: lambda t, k: getattr(torch, n)(t[0], t[1] if len(t) > 1 else k["number"]))(name)
        for name in BINARY}
OPS |= {name: (lambda n: lambda t, k: getattr(F, n)(t[0], **k))(name) for name in ACTIVATIONS}
OPS |= {name: reduced(name) for name in ("sum", "mean", "amax", "amin", "prod", "logsumexp")}
OPS |= {name: var_of(name) for name in ("var", "std")}
OPS |= {name: inplace(name) for name in ("add_", "sub_", "mul_", "div_", "copy_", "fill_", "clamp_", "relu_", "zero_")}
OPS |= {name: loss(name) for name in (
    "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "l1_loss",
    "huber_loss", "smooth_l1_loss", "kl_div", "cosine_embedding_loss")}
OPS |= {
    "isnan": lambda t, k: torch.isnan(t[0]), "isinf": lambda t, k: torch.isinf(t[0]),
    "logical_not": lambda t, k: torch.logical_not(t[0]),
    "clamp": lambda t, k: torch.clamp(t[0], k["min"], k["max"]),
    "where": lambda t, k: torch.where(t[0], t[1], t[2]),
    "lerp": lambda t, k: torch.lerp(t[0], t[1], k["weight"]),
    "softmax": lambda t, k: torch.softmax(t[0], k["dim"]),
    "log_softmax": lambda t, k: torch.log_softmax(t[0], k["dim"]),
    "norm": lambda t, k: torch.linalg.vector_norm(t[0], float(k["p"]), k["dim"] or None, k["keepdim"]),
    "cumsum": lambda t, k: torch.cumsum(t[0], k["dim"]),
    "argmax": lambda t, k: torch.argmax(t[0], k["dim"], k["keepdim"]),
    "argmin": lambda t, k: torch.argmin(t[0], k["dim"], k["keepdim"]),
    "max_values": lambda t, k: torch.max(t[0], k["dim"], k["keepdim"])[0],
    "min_indices": lambda t, k: torch.min(t[0], k["dim"], k["keepdim"])[1],
    "all": lambda t, k: torch.all(t[0], k["dim"]), "any": lambda t, k: torch.any(t[0], k["dim"]),
    "mm": lambda t, k: torch.mm(*t), "bmm": lambda t, k: torch.bmm(*t), "matmul": lambda t, k: torch.matmul(*t),
    "linear": lambda t, k: F.linear(*t), "addmm": lambda t, k: torch.addmm(*t, beta=k["beta"], alpha=k["alpha"]),
    "outer": lambda t, k: torch.outer(*t), "dot": lambda t, k: torch.dot(*t),
    "einsum": lambda t, k: torch.einsum(k["equation"], *t), "bilinear": lambda t, k: F.bilinear(*t),
    "view": lambda t, k: t[0].view(k["sizes"]), "reshape": lambda t, k: t[0].reshape(k["sizes"]),
    "permute": lambda t, k: t[0].permute(k["dims"]), "transpose": lambda t, k: t[0].transpose(*k["dims"]),
    "expand": lambda t, k: t[0].expand(k["sizes"]), "flatten": lambda t, k: t[0].flatten(k["start"], k["end"]),
    "slice": lambda t, k: t[0][(slice(None),) * k["dim"] + (slice(k["start"], k["stop"], k["step"]),)],
    "select": lambda t, k: t[0].select(k["dim"], k["index"]),
    "narrow": lambda t, k: t[0].narrow(k["dim"], k["start"], k["length"]),
    "squeeze": lambda t, k: t[0].squeeze(), "unsqueeze": lambda t, k: t[0].unsqueeze(k["dim"]),
    "contiguous": lambda t, k: t[0].contiguous(), "clone": lambda t, k: t[0].clone(),
    "detach": lambda t, k: t[0].detach(), "to": lambda t, k: t[0].to(TYPES[k["dtype"]]),
    "chunk": lambda t, k: t[0].chunk(k["chunks"], k["dim"])[k["take"]],
    "split": lambda t, k: t[0].split(k["size"], k["dim"])[k["take"]],
    "cat": lambda t, k: torch.cat(t, k["dim"]), "stack": lambda t, k: torch.stack(t, k["dim"]),
    "flip": lambda t, k: torch.flip(t[0], k["dims"]), "roll": lambda t, k: torch.roll(t[0], k["shifts"], k["dims"]),
    "repeat": lambda t, k: t[0].repeat(k["repeats"]),
    "tril": lambda t, k: torch.tril(t[0], k["diagonal"]), "triu": lambda t, k: torch.triu(t[0], k["diagonal"]),
    "gather": lambda t, k: torch.gather(t[0], k["dim"], t[1]),
    "scatter": lambda t, k: torch.scatter(t[0], k["dim"], t[1], t[2]),
    "scatter_add": lambda t, k: torch.scatter_add(t[0], k["dim"], t[1], t[2]),
    "index_select": lambda t, k: torch.index_select(t[0], k["dim"], t[1]),
    "index_add": lambda t, k: torch.index_add(t[0], k["dim"], t[1], t[2]),
    "masked_select": lambda t, k: torch.masked_select(t[0], t[1]),
    "masked_fill": lambda t, k: torch.masked_fill(t[0], t[1], k["value"]),
    "nonzero": lambda t, k: torch.nonzero(t[0]),
    "sort": lambda t, k: torch.sort(t[0], k["dim"], k["descending"], stable=True)[0],
    "argsort": lambda t, k: torch.argsort(t[0], k["dim"], k["descending"], stable=True),
    "topk": lambda t, k: torch.topk(t[0], k["k"], k["dim"], k["largest"])[0],
    "one_hot": lambda t, k: F.one_hot(t[0], k["classes"]),
    "embedding": lambda t, k: F.embedding(t[0], t[1], padding_idx=k["padding_idx"]),
    "pad": lambda t, k: F.pad(t[0], k["padding"], k["mode"], *([k["value"]] if k["mode"] == "constant" else [])),
    "interpolate": lambda t, k: F.interpolate(t[0], **k),
    "pixel_shuffle": lambda t, k: F.pixel_shuffle(t[0], k["factor"]),
    "pixel_unshuffle": lambda t, k: F.pixel_unshuffle(t[0], k["factor"]),
    "conv": lambda t, k: getattr(F, f"conv{k['n']}d")(*t, stride=k["stride"], padding=k["padding"],
                                                      dilation=k["dilation"], groups=k["groups"]),
    "conv_transpose": lambda t, k: getattr(F, f"conv_transpose{k['n']}d")(
        *t, stride=k["stride"], padding=k["padding"], output_padding=k["output_padding"], groups=k["groups"],
        dilation=k["dilation"]),
    "max_pool": lambda t, k: getattr(F, f"max_pool{k['n']}d")(t[0], k["kernel"], k["stride"], k["padding"],
                                                             k["dilation"], k["ceil_mode"]),
    "avg_pool": lambda t, k: getattr(F, f"avg_pool{k['n']}d")(t[0], k["kernel"], k["stride"], k["padding"],
                                                             k["ceil_mode"], k["count_include_pad"]),
    "adaptive_avg_pool": lambda t, k: getattr(F, f"adaptive_avg_pool{k['n']}d")(t[0], k["size"]),
    "adaptive_max_pool": lambda t, k: getattr(F, f"adaptive_max_pool{k['n']}d")(t[0], k["size"]),
    "batch_norm": lambda t, k: F.batch_norm(t[0], None, None, *t[1:3], training=True, eps=k["eps"]),
    "batch_norm_eval": lambda t, k: F.batch_norm(t[0], t[1], t[2], *t[3:5], training=False, eps=k["eps"]),
    "instance_norm": lambda t, k: F.instance_norm(t[0], None, None, *t[1:3], use_input_stats=True, eps=k["eps"]),
    "layer_norm": lambda t, k: F.layer_norm(t[0], k["shape"], *t[1:3], eps=k["eps"]),
    "group_norm": lambda t, k: F.group_norm(t[0], k["groups"], *t[1:3], eps=k["eps"]),
    "cosine_similarity": lambda t, k: F.cosine_similarity(t[0], t[1], k["dim"]),
    "normalize": lambda t, k: F.normalize(t[0], k["p"], k["dim"]),
    "attention": lambda t, k: F.scaled_dot_product_attention(*t[:3], attn_mask=t[3] if len(t) > 3 else None,
                                                             is_causal=k["is_causal"]),
    "prelu": lambda t, k: F.prelu(*t), "atan2": lambda t, k: torch.atan2(*t),
    "isfinite": lambda t, k: torch.isfinite(t[0]),
    "cumprod": lambda t, k: torch.cumprod(t[0], k["dim"]),
    "median_values": lambda t, k: torch.median(t[0], k["dim"], k["keepdim"])[0],
    "pairwise_distance": lambda t, k: F.pairwise_distance(*t, p=float(k["p"]), eps=k["eps"], keepdim=k["keepdim"]),
    "cdist": lambda t, k: torch.cdist(*t, p=float(k["p"])),
    "repeat_interleave": lambda t, k: torch.repeat_interleave(t[0], t[1] if len(t) > 1 else k["repeats"], dim=k["dim"]),
    "unique": lambda t, k: torch.unique(t[0]), "scatter_value": lambda t, k: torch.scatter(t[0], k["dim"], t[1], k["value"]),
    "rms_norm": lambda t, k: F.rms_norm(t[0], k["shape"], *t[1:2], eps=k["eps"]),
    "embedding_bag": lambda t, k: F.embedding_bag(
        t[0], t[1], t[2] if k["offsets"] else None, mode=k["mode"], padding_idx=k["padding_idx"],
        per_sample_weights=t[-1] if k["weights"] else None, include_last_offset=k["include_last_offset"]),
    "triplet_margin_loss": lambda t, k: F.triplet_margin_loss(*t, **k),
    "gaussian_nll_loss": lambda t, k: F.gaussian_nll_loss(*t, **k),
    "ctc_loss": lambda t, k: F.ctc_loss(*t, **k),
    "arange": lambda t, k: torch.arange(k["start"], k["end"], k["step"]),
    "linspace": lambda t, k: torch.linspace(k["start"], k["end"], k["steps"]),
    "full": lambda t, k: torch.full(k["sizes"], k["value"]), "eye": lambda t, k: torch.eye(k["n"], k["m"]),
}
WITH_ALL = {"index": with_index, "index_put": put_index}


def results(case, leaves, tensors):
    """What is compared: results, gradients, and gradients of the gradients."""
    outs = [tensors[i] for i in case["outs"]]
    found = {"want": [packed(r) for r in outs]}
    owners = [x for x in leaves if x.requires_grad]
    tops = [r for r in outs if r.requires_grad]
    if not tops or not owners:
        return found
    grads = torch.autograd.grad(tops, owners, [weights(r) for r in tops], create_graph=case["second"],
                                allow_unused=True)
    found["grads"] = [None if g is None else packed(g) for g in grads]
    tops = [g for g in grads if g is not None and g.requires_grad]
    if case["second"] and tops:
        seconds = torch.autograd.grad(tops, owners, [weights(g) for g in tops], allow_unused=True)
        found["second_grads"] = [None if g is None else packed(g) for g in seconds]
    return found


def run_step(op, ins, k, leaves, tensors):
    if op == "leaf":
        return leaves[k["leaf"]]
    given = [tensors[i] for i in ins]
    return WITH_ALL[op](given, k, tensors) if op in WITH_ALL else OPS[op](given, k)


class Program:
    """Steps that each make one more tensor, the first ones from leaves; `outs` are compared."""

    def __init__(self, kind):
        self.case = {"kind": kind, "leaves": [], "steps": [], "outs": [], "second": False}
        self.leaves, self.tensors = [], []

    def leaf(self, tensor, grad=None):
        grad = tensor.is_floating_point() if grad is None else grad
        self.case["leaves"].append(packed(tensor) | {"grad": grad})
        self.leaves.append(tensor.clone().requires_grad_(grad))
        return self.step("leaf", [], leaf=len(self.leaves) - 1)

    def step(self, op, ins, **k):
        self.case["steps"].append({"op": op, "in": ins, "k": k})
        self.tensors.append(run_step(op, ins, k, self.leaves, self.tensors))
        return len(self.tensors) - 1

    def finish(self, *outs, second=False):
        self.case |= {"outs": list(outs), "second": second}
        case = self.case | results(self.case, self.leaves, self.tensors)
        if any(x.dtype in (torch.float32, torch.bfloat16, torch.float16) for x in self.leaves):
            # The same in float64: where the two differ, it tells who is nearer.
            leaves = [(x.detach().double() if x.is_floating_point() else x.clone()).requires_grad_(x.requires_grad)
                      for x in map(restored, case["leaves"])]
            tensors = []
            for step in case["steps"]:
                tensors.append(run_step(step["op"], step["in"], step["k"], leaves, tensors))
            case["exact"] = results(case, leaves, tensors)
        return case
