"""Layers as modules: printed form, names and shapes of their state, outputs, gradients, statistics."""
import torch
from torch import nn

from formula import fill, sketch, uniform
from trace_io import write

ABOUT = (
    "'cases': 'name' (tests/nn/layers_test.cpp makes the same module), 'repr', 'state': names and shapes of the state "
    "dict. Where it has an input 'shape': parameters and buffers are formula.py's, the input is uniform('x', shape), "
    "'sizes' and 'output' are those of the training (or, with 'eval', evaluating) module, 'grads' are the gradients of "
    "sum(output * uniform('y', its shape)) with respect to 'x' and each parameter, 'buffers' are the buffers after "
    "that: sketches, see formula.py. All float64."
)

IMAGE, LINE, BLOCK = (2, 4, 7, 6), (2, 4, 9), (2, 4, 5, 4, 6)
NORM = (3, 4, 5, 3)
CASES = {
    "conv1d": (nn.Conv1d(4, 6, 3), LINE),
    "conv1d_same": (nn.Conv1d(4, 6, 4, padding="same", dilation=2), LINE),
    "conv2d": (nn.Conv2d(4, 6, 3), IMAGE),
    "conv2d_all": (nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2, False), IMAGE),
    "conv2d_unbatched": (nn.Conv2d(4, 6, 3, padding="valid"), IMAGE[1:]),
    "conv2d_reflect": (nn.Conv2d(4, 6, 3, 2, (1, 2), padding_mode="reflect"), IMAGE),
    "conv2d_replicate": (nn.Conv2d(4, 6, 3, padding=1, padding_mode="replicate"), IMAGE),
    "conv2d_circular": (nn.Conv2d(4, 6, (4, 3), padding="same", padding_mode="circular"), IMAGE),
    "conv3d": (nn.Conv3d(4, 2, 3, padding=1, groups=2), BLOCK),
    "conv_transpose1d": (nn.ConvTranspose1d(4, 6, 3, 2, groups=2, bias=False, dilation=2), LINE),
    "conv_transpose2d": (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1), IMAGE),
    "conv_transpose3d": (nn.ConvTranspose3d(4, 2, (3, 2, 3), (2, 1, 1), (1, 0, 1), (1, 0, 0)), BLOCK),
    "max_pool1d": (nn.MaxPool1d(3), LINE),
    "max_pool2d": (nn.MaxPool2d(3, 2, 1), IMAGE),
    "max_pool2d_all": (nn.MaxPool2d((3, 2), (2, 1), (1, 0), 2, ceil_mode=True), IMAGE),
    "max_pool3d": (nn.MaxPool3d(2), BLOCK),
    "avg_pool1d": (nn.AvgPool1d(3, 2, 1), LINE),
    "avg_pool2d": (nn.AvgPool2d(3, stride=1), IMAGE),
    "avg_pool2d_all": (nn.AvgPool2d((3, 2), 2, (1, 0), True, False), IMAGE),
    "avg_pool3d": (nn.AvgPool3d((2, 3, 4), 2, 1, divisor_override=5), BLOCK),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(5), LINE),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d((1, 1)), IMAGE),
    "adaptive_avg_pool2d_same": (nn.AdaptiveAvgPool2d((None, 4)), IMAGE),
    "adaptive_avg_pool3d": (nn.AdaptiveAvgPool3d(2), BLOCK),
    "adaptive_max_pool1d": (nn.AdaptiveMaxPool1d(4), LINE),
    "adaptive_max_pool2d": (nn.AdaptiveMaxPool2d((5, 3)), IMAGE),
    "adaptive_max_pool3d": (nn.AdaptiveMaxPool3d((None, 2, 3)), BLOCK),
    "batch_norm1d": (nn.BatchNorm1d(4), (5, 4)),
    "batch_norm1d_line": (nn.BatchNorm1d(4, momentum=None), LINE),
    "batch_norm2d": (nn.BatchNorm2d(4), NORM),
    "batch_norm2d_eval": (nn.BatchNorm2d(4).eval(), NORM),
    "batch_norm2d_plain": (nn.BatchNorm2d(4, eps=1e-3, affine=False), NORM),
    "batch_norm2d_no_bias": (nn.BatchNorm2d(4, bias=False), NORM),
    "batch_norm2d_untracked": (nn.BatchNorm2d(4, track_running_stats=False).eval(), NORM),
    "batch_norm3d": (nn.BatchNorm3d(4, momentum=0.3), BLOCK),
    "instance_norm1d": (nn.InstanceNorm1d(4), LINE),
    "instance_norm2d": (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), NORM),
    "instance_norm2d_eval": (nn.InstanceNorm2d(4, affine=True, track_running_stats=True).eval(), NORM),
    "instance_norm2d_unbatched": (nn.InstanceNorm2d(4), NORM[1:]),
    "instance_norm3d": (nn.InstanceNorm3d(4, momentum=None, track_running_stats=True), BLOCK),
    "layer_norm": (nn.LayerNorm(6), (3, 5, 6)),
    "layer_norm_two": (nn.LayerNorm((5, 6), eps=1e-6, bias=False), (3, 5, 6)),
    "layer_norm_plain": (nn.LayerNorm((5, 6), elementwise_affine=False), (3, 5, 6)),
    "rms_norm": (nn.RMSNorm(6), (3, 5, 6)),
    "rms_norm_two": (nn.RMSNorm((5, 6), eps=1e-6), (3, 5, 6)),
    "rms_norm_plain": (nn.RMSNorm((5, 6), elementwise_affine=False), (3, 5, 6)),
    "group_norm": (nn.GroupNorm(2, 4), NORM),
    "group_norm_plain": (nn.GroupNorm(4, 4, eps=1e-3, affine=False), LINE),
    "upsample": (nn.Upsample(scale_factor=2), IMAGE),
    "upsample_size": (nn.Upsample((5, 9), mode="bilinear", align_corners=True), IMAGE),
    "upsample_factors": (nn.Upsample(scale_factor=(2, 1.5), mode="bicubic"), IMAGE),
    "upsample_line": (nn.Upsample(4, mode="linear"), LINE),
    "upsampling_nearest2d": (nn.UpsamplingNearest2d(scale_factor=3), IMAGE),
    "upsampling_bilinear2d": (nn.UpsamplingBilinear2d(size=8), IMAGE),
    "pixel_shuffle": (nn.PixelShuffle(2), IMAGE),
    "pixel_unshuffle": (nn.PixelUnshuffle(2), (2, 3, 4, 6)),
    "zero_pad1d": (nn.ZeroPad1d(1), LINE),
    "zero_pad2d": (nn.ZeroPad2d((1, 2, 3, -1)), IMAGE),
    "zero_pad3d": (nn.ZeroPad3d(1), BLOCK),
    "constant_pad1d": (nn.ConstantPad1d(2, 3.5), LINE),
    "constant_pad2d": (nn.ConstantPad2d((0, 1, 2, 0), 3), IMAGE),
    "constant_pad3d": (nn.ConstantPad3d(1, -1.0), BLOCK),
    "reflection_pad1d": (nn.ReflectionPad1d(2), LINE),
    "reflection_pad2d": (nn.ReflectionPad2d((1, 2, 0, 3)), IMAGE),
    "reflection_pad3d": (nn.ReflectionPad3d(1), BLOCK),
    "replication_pad1d": (nn.ReplicationPad1d((3, 0)), LINE),
    "replication_pad2d": (nn.ReplicationPad2d(2), IMAGE),
    "replication_pad3d": (nn.ReplicationPad3d(1), BLOCK),
    "circular_pad1d": (nn.CircularPad1d(2), LINE),
    "circular_pad2d": (nn.CircularPad2d((1, 2, 3, 0)), IMAGE),
    "circular_pad3d": (nn.CircularPad3d(1), BLOCK),
    "dropout1d": (nn.Dropout1d(0.25), None),
    "dropout2d": (nn.Dropout2d(), None),
    "dropout3d": (nn.Dropout3d(), None),
    "dropout2d_eval": (nn.Dropout2d().eval(), IMAGE),
    "unflatten": (nn.Unflatten(1, (2, 2)), LINE),
    "hardtanh": (nn.Hardtanh(-0.5, 0.25), IMAGE),
    "hardtanh_inplace": (nn.Hardtanh(inplace=True), None),
    "relu6": (nn.ReLU6(), IMAGE),
    "relu6_inplace": (nn.ReLU6(inplace=True), None),
    "leaky_relu_inplace": (nn.LeakyReLU(0.2, inplace=True), None),
}


def case(name, module, shape):
    entry = {"name": name, "repr": repr(module)}
    entry["state"] = {k: list(v.shape) for k, v in module.state_dict().items()}
    if shape is None:
        return entry
    fill(module)
    x = uniform("x", shape).requires_grad_()
    y = module(x)
    (y * uniform("y", y.shape)).sum().backward()
    entry["shape"] = list(shape)
    entry["eval"] = not module.training
    entry["sizes"] = list(y.shape)
    entry["output"] = sketch(y)
    entry["grads"] = {"x": sketch(x.grad), **{k: sketch(p.grad) for k, p in module.named_parameters()}}
    entry["buffers"] = {k: sketch(b) for k, b in module.named_buffers()}
    return entry


def main():
    write(__file__, {"about": ABOUT, "cases": [case(name, *row) for name, row in CASES.items()]})
    print(len(CASES), "cases")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
