#include <gradus/nn/layers/pooling.h>

#include "nn/module/repr.h"
#include "ops/image/pooling.h"

namespace gradus::nn {

namespace {

template <int N>
std::string named(const char* family) {
  return family + std::to_string(N) + "d";
}

// Python writes None for a size that is kept.
template <int N>
std::string output_size(const Spatial<N>& size) {
  const auto one = [](std::int64_t n) { return n == kSameSize ? "None" : std::to_string(n); };
  if (size.is_single() || N == 1) return "output_size=" + one(size[0]);
  std::string text = "output_size=(";
  for (int i = 0; i < N; ++i) text += (i > 0 ? ", " : "") + one(size[i]);
  return text + ")";
}

template <int N>
Spatial<N> checked_size(const char* family, const Spatial<N>& size) {
  for (int i = 0; i < N; ++i) {
    if (size[i] < 0 && size[i] != kSameSize) {
      throw ValueError(named<N>(family) + ": output_size must not be negative, got " + tuple(size));
    }
  }
  return size;
}

}  // namespace

template <int N>
MaxPool<N>::MaxPool(const Spatial<N>& kernel_size, const MaxPoolOptions<N>& options)
    : Module(named<N>("MaxPool"), "kernel_size=" + repr(kernel_size) +
                                      ", stride=" + repr(options.stride.value_or(kernel_size)) +
                                      ", padding=" + repr(options.padding) + ", dilation=" + repr(options.dilation) +
                                      ", ceil_mode=" + repr(options.ceil_mode)),
      kernel_size_(kernel_size),
      options_(options) {}

template <int N>
Tensor MaxPool<N>::forward(const Tensor& x) {
  const auto& o = options_;
  if constexpr (N == 1) return max_pool1d(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode);
  if constexpr (N == 2) return max_pool2d(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode);
  if constexpr (N == 3) return max_pool3d(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode);
}

template <int N>
std::pair<Tensor, Tensor> MaxPool<N>::forward_with_indices(const Tensor& x) {
  const auto& o = options_;
  if constexpr (N == 1) return max_pool1d_with_indices(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode);
  if constexpr (N == 2) return max_pool2d_with_indices(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode);
  if constexpr (N == 3) return max_pool3d_with_indices(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode);
}

template <int N>
MaxUnpool<N>::MaxUnpool(const Spatial<N>& kernel_size, const MaxUnpoolOptions<N>& options)
    : Module(named<N>("MaxUnpool"), "kernel_size=" + tuple(kernel_size) +
                                        ", stride=" + tuple(options.stride.value_or(kernel_size)) +
                                        ", padding=" + tuple(options.padding)),
      kernel_size_(kernel_size),
      options_(options) {}

template <int N>
Tensor MaxUnpool<N>::forward(const Tensor& x, const Tensor& indices, const Shape& output_size) {
  const auto& o = options_;
  if constexpr (N == 1) return max_unpool1d(x, indices, kernel_size_, o.stride, o.padding, output_size);
  if constexpr (N == 2) return max_unpool2d(x, indices, kernel_size_, o.stride, o.padding, output_size);
  if constexpr (N == 3) return max_unpool3d(x, indices, kernel_size_, o.stride, o.padding, output_size);
}

template <int N>
Tensor MaxPool<N>::forward_of_relu(const Tensor& x) {
  const auto& o = options_;
  return ops::max_pool_of_relu<N>(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode);
}

// PyTorch writes tuples in one dimension only.
template <int N>
AvgPool<N>::AvgPool(const Spatial<N>& kernel_size, const AvgPoolOptions<N>& options)
    : Module(named<N>("AvgPool")), kernel_size_(kernel_size), options_(options) {
  const auto text = [](const Spatial<N>& values) { return N == 1 ? tuple(values) : repr(values); };
  set_detail("kernel_size=" + text(kernel_size) + ", stride=" + text(options.stride.value_or(kernel_size)) +
             ", padding=" + text(options.padding));
}

template <int N>
Tensor AvgPool<N>::forward(const Tensor& x) {
  const auto& o = options_;
  if constexpr (N == 1) return avg_pool1d(x, kernel_size_, o.stride, o.padding, o.ceil_mode, o.count_include_pad);
  if constexpr (N == 2) {
    return avg_pool2d(x, kernel_size_, o.stride, o.padding, o.ceil_mode, o.count_include_pad, o.divisor_override);
  }
  if constexpr (N == 3) {
    return avg_pool3d(x, kernel_size_, o.stride, o.padding, o.ceil_mode, o.count_include_pad, o.divisor_override);
  }
}

template <int N>
AdaptiveAvgPool<N>::AdaptiveAvgPool(const Spatial<N>& size)
    : Module(named<N>("AdaptiveAvgPool"), output_size(size)), output_size_(checked_size("AdaptiveAvgPool", size)) {}

template <int N>
Tensor AdaptiveAvgPool<N>::forward(const Tensor& x) {
  if constexpr (N == 1) return adaptive_avg_pool1d(x, output_size_);
  if constexpr (N == 2) return adaptive_avg_pool2d(x, output_size_);
  if constexpr (N == 3) return adaptive_avg_pool3d(x, output_size_);
}

template <int N>
AdaptiveMaxPool<N>::AdaptiveMaxPool(const Spatial<N>& size)
    : Module(named<N>("AdaptiveMaxPool"), output_size(size)), output_size_(checked_size("AdaptiveMaxPool", size)) {}

template <int N>
std::pair<Tensor, Tensor> AdaptiveMaxPool<N>::forward_with_indices(const Tensor& x) {
  if constexpr (N == 1) return adaptive_max_pool1d_with_indices(x, output_size_);
  if constexpr (N == 2) return adaptive_max_pool2d_with_indices(x, output_size_);
  if constexpr (N == 3) return adaptive_max_pool3d_with_indices(x, output_size_);
}

template <int N>
Tensor AdaptiveMaxPool<N>::forward(const Tensor& x) {
  if constexpr (N == 1) return adaptive_max_pool1d(x, output_size_);
  if constexpr (N == 2) return adaptive_max_pool2d(x, output_size_);
  if constexpr (N == 3) return adaptive_max_pool3d(x, output_size_);
}

template class MaxPool<1>;
template class MaxPool<2>;
template class MaxPool<3>;
template class MaxUnpool<1>;
template class MaxUnpool<2>;
template class MaxUnpool<3>;
template class AvgPool<1>;
template class AvgPool<2>;
template class AvgPool<3>;
template class AdaptiveAvgPool<1>;
template class AdaptiveAvgPool<2>;
template class AdaptiveAvgPool<3>;
template class AdaptiveMaxPool<1>;
template class AdaptiveMaxPool<2>;
template class AdaptiveMaxPool<3>;

}  // namespace gradus::nn
