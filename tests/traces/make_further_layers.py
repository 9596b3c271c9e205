"""Activations of ops/activation.h, images of ops/folding.h and losses of nn/margin_losses.h, with their modules."""
import torch
from torch import nn
from torch.nn import functional as F

from formula import uniform
from trace_io import array, flat, number, write

ABOUT = (
    "'pointwise': what an element-wise function gives at the values 'x', by dtype, and the 'grad' of the sum in float64. "
    "'functions': 'name' (tests/nn/further_layers_test.cpp calls the same), 'inputs': the sizes of formula.py's 'x0', "
    "'x1', ..., 'output' and 'grads': of sum(output * uniform('y', its shape)) with respect to each, in float64. "
    "'prints': what PyTorch prints for a module."
)

X = [float("-inf"), -100, -20, -6, -3.5, -3, -2, -1, -0.5, -0.1, -0.0, 0.0, 0.1, 0.5, 0.75, 1, 2, 2.5, 3, 3.5, 6, 20,
     100, float("inf"), float("nan")]  # fmt: skip
POINTWISE = {
    "selu": F.selu,
    "celu": F.celu,
    "celu_2": lambda x: F.celu(x, 2.0),
    "celu_negative": lambda x: F.celu(x, -0.5),
    "mish": F.mish,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
    "softshrink": F.softshrink,
    "softshrink_0": lambda x: F.softshrink(x, 0.0),
    "softshrink_1": lambda x: F.softshrink(x, 0.1),
    "hardshrink": F.hardshrink,
    "hardshrink_1": lambda x: F.hardshrink(x, 0.1),
    "threshold": lambda x: F.threshold(x, 0.1, 20.0),
    "rrelu": F.rrelu,
}  # fmt: skip


def signs(*shape):
    n = torch.arange(torch.Size(shape).numel())
    return torch.where(n % 3 == 0, -1.0, 1.0).reshape(shape)


def counts(*shape):
    return (torch.arange(torch.Size(shape).numel()) % 4).double().reshape(shape)


CLASSES = torch.tensor([1, 0, 4, 2])
LABELS = torch.tensor([[3, 0, -1, 1, 2], [4, -1, 4, 4, 4], [-1, 0, 1, 2, 3], [0, 1, 2, 3, 4], [2, 2, -1, 0, 0]])
WEIGHT = torch.tensor([0.5, 1, 2, 0.25, 3])
ROWS, IMAGE = ((4, 5),), ((2, 4, 5, 6),)
INDEX = torch.tensor([[1, 3, 1], [0, 1, 3]])


def samples(*shape):
    n = torch.Size(shape).numel()
    return (torch.arange(n).double() / n).reshape(shape)


def adaptive():
    module = nn.AdaptiveLogSoftmaxWithLoss(8, 9, [3, 6], 2.0, head_bias=True).double()
    with torch.no_grad():
        for i, p in enumerate(module.parameters()):
            p.copy_(uniform(f"w{i}", p.shape))
    return module


FUNCTIONS = {
    "glu": (F.glu, ((3, 4),)),
    "glu_0": (lambda x: F.glu(x, 0), ((4, 3, 2),)),
    "softmin": (lambda x: F.softmin(x, 1), ((3, 4),)),
    "softmax2d": (lambda x: nn.Softmax2d()(x), IMAGE),
    "softmax2d_one": (lambda x: nn.Softmax2d()(x), ((4, 2, 3),)),
    "lrn": (lambda x: F.local_response_norm(x, 3), IMAGE),
    "lrn_line": (lambda x: F.local_response_norm(x, 2, 0.1, 0.5, 2.0), ((2, 5, 3),)),
    "lrn_block": (lambda x: F.local_response_norm(x, 5, 0.3, 1.5, 1.0), ((2, 3, 2, 3, 2),)),
    "lp_pool1d": (lambda x: F.lp_pool1d(x, 2, 3), ((2, 3, 8),)),
    "lp_pool1d_inf": (lambda x: F.lp_pool1d(x, float("inf"), 3, 1), ((2, 3, 8),)),
    "lp_pool1d_minus_inf": (lambda x: F.lp_pool1d(x, -float("inf"), 2), ((2, 3, 8),)),
    "lp_pool2d": (lambda x: F.lp_pool2d(x, 2, (2, 3), (2, 1)), IMAGE),
    "lp_pool2d_ceil": (lambda x: F.lp_pool2d(x.exp(), 1.5, 2, ceil_mode=True), IMAGE),
    "lp_pool3d": (lambda x: F.lp_pool3d(x, 4, 2), ((1, 2, 4, 3, 4),)),
    "unfold": (lambda x: F.unfold(x, 3), IMAGE),
    "unfold_all": (lambda x: F.unfold(x, (2, 3), (1, 2), (1, 0), (2, 1)), IMAGE),
    "unfold_one": (lambda x: F.unfold(x, 2, padding=1), ((2, 3, 4),)),
    "fold": (lambda x: F.fold(x, (4, 5), 2), ((2, 8, 12),)),
    "fold_all": (lambda x: F.fold(x, (5, 6), (2, 3), (1, 2), (1, 0), (2, 1)), ((2, 12, 6),)),
    "fold_one": (lambda x: F.fold(x, 3, 2, stride=1), ((4, 4),)),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 2), ((2, 6, 2, 3),)),
    "ranking": (lambda a, b: F.margin_ranking_loss(a, b, signs(3, 4)), ((3, 4), (3, 4))),
    "ranking_margin": (lambda a, b: F.margin_ranking_loss(a, b, signs(3, 4), 0.5, reduction="none"),
                       ((3, 4), (1, 4))),
    "ranking_sum": (lambda a, b: F.margin_ranking_loss(a, b, signs(5), 0.25, reduction="sum"), ((5,), (5,))),
    "hinge": (lambda x: F.hinge_embedding_loss(x, signs(3, 4)), ((3, 4),)),
    "hinge_zero": (lambda x: F.hinge_embedding_loss(x, signs(3, 4) * counts(3, 4), 0.5, reduction="none"), ((3, 4),)),
    "hinge_sum": (lambda x: F.hinge_embedding_loss(x, signs(7), 0.2, reduction="sum"), ((7,),)),
    "soft_margin": (lambda x: F.soft_margin_loss(x, signs(3, 4)), ((3, 4),)),
    "soft_margin_none": (lambda x: F.soft_margin_loss(9 * x, signs(3, 4), reduction="none"), ((3, 4),)),
    "multi_margin": (lambda x: F.multi_margin_loss(x, CLASSES), ROWS),
    "multi_margin_2": (lambda x: F.multi_margin_loss(x, CLASSES, 2, 0.5, WEIGHT, reduction="none"), ROWS),
    "multi_margin_sum": (lambda x: F.multi_margin_loss(x, CLASSES, 1, 2.0, WEIGHT, reduction="sum"), ROWS),
    "multi_margin_one": (lambda x: F.multi_margin_loss(x, torch.tensor(2)), ((5,),)),
    "multilabel": (lambda x: F.multilabel_margin_loss(x, LABELS), ((5, 5),)),
    "multilabel_none": (lambda x: F.multilabel_margin_loss(x, LABELS, reduction="none"), ((5, 5),)),
    "multilabel_one": (lambda x: F.multilabel_margin_loss(x, LABELS[0], reduction="sum"), ((5,),)),
    "multilabel_soft": (lambda x: F.multilabel_soft_margin_loss(x, (counts(4, 5) > 1).double()), ROWS),
    "multilabel_soft_weight": (lambda x: F.multilabel_soft_margin_loss(x, (counts(4, 5) > 1).double(), WEIGHT,
                                                                      reduction="none"), ROWS),
    "poisson": (lambda x: F.poisson_nll_loss(x, counts(3, 4)), ((3, 4),)),
    "poisson_full": (lambda x: F.poisson_nll_loss(x, counts(3, 4), full=True, reduction="none"), ((3, 4),)),
    "poisson_rate": (lambda x: F.poisson_nll_loss(x * x, counts(3, 4), log_input=False, full=True, eps=1e-3,
                                                  reduction="sum"), ((3, 4),)),
    "fractional2d": (lambda x: F.fractional_max_pool2d(x, 2, (3, 4), _random_samples=samples(2, 4, 2)), IMAGE),
    "fractional2d_ratio": (lambda x: F.fractional_max_pool2d(
        x, (2, 3), None, (0.5, 0.7), _random_samples=samples(1, 3, 2)), ((3, 7, 9),)),
    "fractional3d": (lambda x: F.fractional_max_pool3d(x, (2, 1, 3), (2, 3, 2), _random_samples=samples(2, 2, 3)),
                     ((2, 2, 4, 5, 6),)),
    "pdist": (F.pdist, ((5, 3),)),
    "pdist_1": (lambda x: F.pdist(x, 1.5), ((3, 4),)),
    "cross": (lambda a, b: torch.cross(a, b, dim=1), ((2, 3, 4), (2, 3, 4))),
    "cross_last": (torch.linalg.cross, ((4, 3), (1, 3))),
    "lerp": (torch.lerp, ((3, 4),) * 3),
    "entr": (lambda x: torch.special.entr(x * x), ((3, 4),)),
    "ndtr": (torch.special.ndtr, ((3, 4),)),
    "xlog1py": (lambda x, y: torch.special.xlog1py(x, y * y), ((3, 4), (3, 4))),
    "multigammaln": (lambda x: torch.special.multigammaln(x + 3, 3), ((3, 4),)),
    "adaptive": (lambda x: adaptive()(x, torch.tensor([0, 8, 4, 7, 2]))[0], ((5, 8),)),
    "adaptive_log_prob": (lambda x: adaptive().log_prob(x), ((3, 8),)),
    "embedding_freq": (lambda w: F.embedding(INDEX, w, 0, scale_grad_by_freq=True), ((4, 3),)),
    "distance": (lambda a, p, n: F.triplet_margin_with_distance_loss(a, p, n), ((4, 3),) * 3),
    "distance_cosine": (lambda a, p, n: F.triplet_margin_with_distance_loss(
        a, p, n, distance_function=lambda x, y: 1 - F.cosine_similarity(x, y), margin=0.5, swap=True,
        reduction="none"), ((4, 3),) * 3),
}  # fmt: skip

PRINTS = {
    "selu": nn.SELU(), "selu_inplace": nn.SELU(True), "mish": nn.Mish(), "mish_inplace": nn.Mish(True),
    "hardswish": nn.Hardswish(True), "hardsigmoid": nn.Hardsigmoid(True), "celu": nn.CELU(),
    "celu_inplace": nn.CELU(0.5, True), "threshold": nn.Threshold(0.1, 20),
    "threshold_inplace": nn.Threshold(1, 2.5, True), "rrelu": nn.RReLU(), "rrelu_inplace": nn.RReLU(0.1, 0.2, True),
    "softsign": nn.Softsign(), "tanhshrink": nn.Tanhshrink(), "softshrink": nn.Softshrink(),
    "hardshrink": nn.Hardshrink(0.25), "softmin": nn.Softmin(1), "softmax2d": nn.Softmax2d(), "glu": nn.GLU(),
    "alpha_dropout": nn.AlphaDropout(), "feature_alpha_dropout": nn.FeatureAlphaDropout(0.2),
    "unfold": nn.Unfold(2, (1, 2)), "fold": nn.Fold((4, 5), 2, padding=1), "lp_pool1d": nn.LPPool1d(2, 3),
    "lp_pool2d": nn.LPPool2d(1.5, (2, 3), stride=(2, 1), ceil_mode=True), "lp_pool3d": nn.LPPool3d(2, 3),
    "local_response_norm": nn.LocalResponseNorm(5), "channel_shuffle": nn.ChannelShuffle(2),
    "ranking": nn.MarginRankingLoss(), "hinge": nn.HingeEmbeddingLoss(), "soft_margin": nn.SoftMarginLoss(),
    "multi_margin": nn.MultiMarginLoss(), "multilabel": nn.MultiLabelMarginLoss(),
    "multilabel_soft": nn.MultiLabelSoftMarginLoss(), "poisson": nn.PoissonNLLLoss(),
    "distance": nn.TripletMarginWithDistanceLoss(), "parameter_dict": nn.ParameterDict(),
    "elu_inplace": nn.ELU(0.5, True), "silu_inplace": nn.SiLU(True), "dropout_inplace": nn.Dropout(0.5, True),
    "dropout3d_inplace": nn.Dropout3d(0.5, True), "fractional2d": nn.FractionalMaxPool2d(2, output_ratio=0.5),
    "fractional3d": nn.FractionalMaxPool3d(2, 3), "adaptive": adaptive(), "cross_map": nn.CrossMapLRN2d(4),
    "cross_map_k": nn.CrossMapLRN2d(4, 0.1, 0.5, 2.0),
    "embedding_all": nn.Embedding(4, 3, -1, 1.5, 1.0, True),
    "embedding_bag_all": nn.EmbeddingBag(4, 3, 1.5, 1.0, True, padding_idx=1),
    "parameter_list": nn.Sequential(nn.ParameterList([torch.ones(2).float(), torch.ones(2, 1)])),
    "parameter_list_one": nn.ParameterList([torch.ones(()).float()]),
    "parameter_dict_two": nn.ParameterDict({"a": torch.ones(2, 3).float(), "b": torch.ones(1).bfloat16()}),
    "parameter_dict_one": nn.ParameterDict({"a": torch.ones(2, 3)}),
}  # fmt: skip


def pointwise(name, fn):
    entry = {"name": name}
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        x = torch.tensor(X).to(dtype).requires_grad_()
        y = fn(x)
        entry[str(dtype).removeprefix("torch.")] = flat(y.double())
        if dtype == torch.float64:
            y.sum().backward()
            entry["grad"] = flat(x.grad)
    return entry


def main():
    functions = []
    for name, (fn, sizes) in FUNCTIONS.items():
        xs = [uniform(f"x{i}", s).requires_grad_() for i, s in enumerate(sizes)]
        y = fn(*xs)
        (y * uniform("y", y.shape)).sum().backward()
        functions.append({"name": name, "inputs": sizes, "output": array(y), "grads": [array(x.grad) for x in xs]})
    write(__file__, {
        "about": ABOUT,
        "x": [number(x) for x in X],
        "pointwise": [pointwise(name, fn) for name, fn in POINTWISE.items()],
        "functions": functions,
        "prints": [{"name": name, "repr": repr(module)} for name, module in PRINTS.items()],
    })  # fmt: skip


if __name__ == "__main__":
    main()
