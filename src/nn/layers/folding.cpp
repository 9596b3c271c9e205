#include <gradus/nn/layers/folding.h>

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

ChannelShuffle::ChannelShuffle(std::int64_t groups)
    : Module("ChannelShuffle", "groups=" + std::to_string(groups)), groups_(groups) {
  if (groups < 1) throw ValueError("ChannelShuffle: groups must be positive, got " + std::to_string(groups));
}

}  // namespace gradus::nn
