#include <gradus/autograd.h>
#include <gradus/nn/utils/fusion.h>
#include <gradus/random.h>

namespace gradus::nn::utils {

namespace {

template <int N>
Conv<N> fused(const Conv<N>& conv, const BatchNorm& bn) {
  if (conv.is_training() || bn.is_training()) throw ValueError("fuse_conv_bn_eval: both modules must be in evaluation");
  if (!bn.running_mean.defined()) throw ValueError("fuse_conv_bn_eval: the normalisation must track statistics");
  if (bn.num_features != conv.out_channels) {
    throw ValueError("fuse_conv_bn_eval: the normalisation must have the convolution's " +
                     std::to_string(conv.out_channels) + " channels, got " + std::to_string(bn.num_features));
  }
  const NoGrad guard;
  Tensor factor = rsqrt(bn.running_var + bn.eps());
  if (bn.weight.defined()) factor = factor * bn.weight;
  Tensor bias = (conv.bias.defined() ? conv.bias - bn.running_mean : -bn.running_mean) * factor;
  if (bn.bias.defined()) bias = bias + bn.bias;
  ConvOptions<N> options = conv.options();
  options.bias = true;
  options.dtype = conv.weight.dtype();
  const Generator unused = default_generator();  // the weights that a new layer draws are overwritten
  Conv<N> result(conv.in_channels, conv.out_channels, conv.kernel_size, options);
  default_generator() = unused;
  result.to(conv.weight.device());
  Shape sizes = conv.weight.sizes();
  for (int d = 1; d < sizes.rank(); ++d) sizes[d] = 1;
  result.weight.copy_(conv.weight * reshape(factor, sizes));
  result.bias.copy_(bias);
  result.weight.requires_grad_(conv.weight.requires_grad());
  result.bias.requires_grad_(conv.bias.defined() && conv.bias.requires_grad());
  result.eval();
  return result;
}

}  // namespace

Conv1d fuse_conv_bn_eval(const Conv1d& conv, const BatchNorm1d& bn) { return fused(conv, bn); }
Conv2d fuse_conv_bn_eval(const Conv2d& conv, const BatchNorm2d& bn) { return fused(conv, bn); }
Conv3d fuse_conv_bn_eval(const Conv3d& conv, const BatchNorm3d& bn) { return fused(conv, bn); }

}  // namespace gradus::nn::utils
