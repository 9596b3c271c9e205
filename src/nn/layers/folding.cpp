#include <gradus/nn/layers/folding.h>
#include <gradus/ops/resampling.h>

#include "core/range.h"
#include "nn/module/repr.h"

namespace gradus::nn {

namespace {

std::string described(const Spatial<2>& kernel_size, const UnfoldOptions& o) {
  return "kernel_size=" + repr(kernel_size) + ", dilation=" + repr(o.dilation) + ", padding=" + repr(o.padding) +
         ", stride=" + repr(o.stride);
}

// Python prints a whole number as it was given.
std::string number_text(double value) {
  std::string text = repr(value);
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

}  // namespace

Unfold::Unfold(const Spatial<2>& kernel_size, const UnfoldOptions& options)
    : Module("Unfold", described(kernel_size, options)), kernel_size_(kernel_size), options_(options) {}

Tensor Unfold::forward(const Tensor& x) {
  return unfold(x, kernel_size_, options_.dilation, options_.padding, options_.stride);
}

Fold::Fold(const Spatial<2>& output_size, const Spatial<2>& kernel_size, const UnfoldOptions& options)
    : Module("Fold", "output_size=" + repr(output_size) + ", " + described(kernel_size, options)),
      output_size_(output_size),
      kernel_size_(kernel_size),
      options_(options) {}

Tensor Fold::forward(const Tensor& x) {
  return fold(x, output_size_, kernel_size_, options_.dilation, options_.padding, options_.stride);
}

template <int N>
LPPool<N>::LPPool(double norm_type, const Spatial<N>& kernel_size, const LPPoolOptions<N>& options)
    : Module("LPPool" + std::to_string(N) + "d",
             "norm_type=" + number_text(norm_type) + ", kernel_size=" + repr(kernel_size) + ", stride=" +
                 (options.stride ? repr(*options.stride) : "None") + ", ceil_mode=" + repr(options.ceil_mode)),
      norm_type_(norm_type),
      kernel_size_(kernel_size),
      options_(options) {}

template <int N>
Tensor LPPool<N>::forward(const Tensor& x) {
  if constexpr (N == 1) return lp_pool1d(x, norm_type_, kernel_size_, options_.stride, options_.ceil_mode);
  if constexpr (N == 2) return lp_pool2d(x, norm_type_, kernel_size_, options_.stride, options_.ceil_mode);
  if constexpr (N == 3) return lp_pool3d(x, norm_type_, kernel_size_, options_.stride, options_.ceil_mode);
}

template class LPPool<1>;
template class LPPool<2>;
template class LPPool<3>;

LocalResponseNorm::LocalResponseNorm(std::int64_t size, double alpha, double beta, double k)
    : Module("LocalResponseNorm",
             std::to_string(size) + ", alpha=" + repr(alpha) + ", beta=" + repr(beta) + ", k=" + repr(k)),
      size_(size),
      alpha_(alpha),
      beta_(beta),
      k_(k) {}

CrossMapLRN2d::CrossMapLRN2d(std::int64_t size, double alpha, double beta, const Scalar& k)
    : Module("CrossMapLRN2d",
             std::to_string(size) + ", alpha=" + repr(alpha) + ", beta=" + repr(beta) + ", k=" + repr(k)),
      size_(size),
      alpha_(alpha),
      beta_(beta),
      k_(k.to<double>()) {
  check_range("CrossMapLRN2d", "size", size, at_least(1));
}

Tensor CrossMapLRN2d::forward(const Tensor& x) {
  if (x.dim() != 4) throw ShapeError("CrossMapLRN2d: needs [N, C, H, W], got " + gradus::to_string(x.sizes()));
  const std::int64_t behind = (size_ - 1) / 2 + 1, channels = x.size(1);
  const Tensor squares = x * x;
  const Tensor padded = pad(squares, {0, 0, 0, 0, behind - 1, behind - 1});
  Tensor sums = narrow(padded, 1, 0, channels);
  for (std::int64_t i = 1; i < 2 * behind - 1; ++i) sums = sums + narrow(padded, 1, i, channels);
  if (channels > behind) {
    const Tensor later = arange(channels, {.device = x.device()}) >= behind;
    sums = sums + reshape(later, {1, channels, 1, 1}).to(x.dtype()) * narrow(squares, 1, 0, 1);
  }
  return x * pow(sums * (alpha_ / static_cast<double>(size_)) + k_, -beta_);
}

ChannelShuffle::ChannelShuffle(std::int64_t groups)
    : Module("ChannelShuffle", "groups=" + std::to_string(groups)), groups_(groups) {
  if (groups < 1) throw ValueError("ChannelShuffle: groups must be positive, got " + std::to_string(groups));
}

}  // namespace gradus::nn
