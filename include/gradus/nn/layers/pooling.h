// Pooling as modules; the functions, and the sizes of their results, are in gradus/ops/pooling.h.
#pragma once

#include <gradus/nn/layers/positional.h>
#include <gradus/nn/module.h>
#include <gradus/ops/pooling.h>
#include <gradus/ops/unpooling.h>

namespace gradus::nn {

template <int N>
struct MaxPoolOptions {
  std::optional<Spatial<N>> stride = {};  // unset: the kernel's size
  Spatial<N> padding = 0;
  Spatial<N> dilation = 1;
  bool ceil_mode = false;
};

template <int N>
class MaxPool : public Module {
 public:
  explicit MaxPool(const Spatial<N>& kernel_size, const MaxPoolOptions<N>& options = {});
  // Stride and padding by position, as in PyTorch, where braces without names are a stride for each dimension.
  template <detail::Count Stride>
  MaxPool(const Spatial<N>& kernel_size, Stride stride, const Spatial<N>& padding = 0,
          const MaxPoolOptions<N>& options = {})
      : MaxPool(kernel_size, with(options, detail::spatial_of<N>(stride), padding)) {}
  template <detail::Count Stride>
  MaxPool(const Spatial<N>& kernel_size, std::initializer_list<Stride> stride, const Spatial<N>& padding = 0,
          const MaxPoolOptions<N>& options = {})
      : MaxPool(kernel_size, with(options, detail::spatial_of<N>(stride), padding)) {}
  Tensor forward(const Tensor& x) override;
  // Also the indices of the maxima, which PyTorch gives with return_indices.
  std::pair<Tensor, Tensor> forward_with_indices(const Tensor& x);
  // forward(relu(x)), in one pass over memory.
  Tensor forward_of_relu(const Tensor& x);

 private:
  static MaxPoolOptions<N> with(MaxPoolOptions<N> options, const Spatial<N>& stride, const Spatial<N>& padding) {
    options.stride = stride;
    options.padding = padding;
    return options;
  }

  Spatial<N> kernel_size_;
  MaxPoolOptions<N> options_;
};

template <int N>
struct MaxUnpoolOptions {
  std::optional<Spatial<N>> stride = {};  // unset: the kernel's size
  Spatial<N> padding = 0;
};

// Puts what a MaxPool of this kernel gave back to its indices; zeros elsewhere.
template <int N>
class MaxUnpool : public Module {
 public:
  explicit MaxUnpool(const Spatial<N>& kernel_size, const MaxUnpoolOptions<N>& options = {});
  template <detail::Count Stride>
  MaxUnpool(const Spatial<N>& kernel_size, Stride stride, const Spatial<N>& padding = 0)
      : MaxUnpool(kernel_size, MaxUnpoolOptions<N>{detail::spatial_of<N>(stride), padding}) {}
  template <detail::Count Stride>
  MaxUnpool(const Spatial<N>& kernel_size, std::initializer_list<Stride> stride, const Spatial<N>& padding = 0)
      : MaxUnpool(kernel_size, MaxUnpoolOptions<N>{detail::spatial_of<N>(stride), padding}) {}
  using Module::forward;
  Tensor forward(const Tensor& x, const Tensor& indices, const Shape& output_size = {});
  Tensor operator()(const Tensor& x, const Tensor& indices, const Shape& output_size = {}) {
    return call([&] { return forward(x, indices, output_size); });
  }

 private:
  Spatial<N> kernel_size_;
  MaxUnpoolOptions<N> options_;
};

template <int N>
struct AvgPoolOptions {
  std::optional<Spatial<N>> stride = {};  // unset: the kernel's size
  Spatial<N> padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
  std::optional<std::int64_t> divisor_override = {};
};
template <>
struct AvgPoolOptions<1> {
  std::optional<Spatial<1>> stride = {};
  Spatial<1> padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
};

template <int N>
class AvgPool : public Module {
 public:
  explicit AvgPool(const Spatial<N>& kernel_size, const AvgPoolOptions<N>& options = {});
  // Stride and padding by position, as in PyTorch, where braces without names are a stride for each dimension.
  template <detail::Count Stride>
  AvgPool(const Spatial<N>& kernel_size, Stride stride, const Spatial<N>& padding = 0,
          const AvgPoolOptions<N>& options = {})
      : AvgPool(kernel_size, with(options, detail::spatial_of<N>(stride), padding)) {}
  template <detail::Count Stride>
  AvgPool(const Spatial<N>& kernel_size, std::initializer_list<Stride> stride, const Spatial<N>& padding = 0,
          const AvgPoolOptions<N>& options = {})
      : AvgPool(kernel_size, with(options, detail::spatial_of<N>(stride), padding)) {}
  Tensor forward(const Tensor& x) override;

 private:
  static AvgPoolOptions<N> with(AvgPoolOptions<N> options, const Spatial<N>& stride, const Spatial<N>& padding) {
    options.stride = stride;
    options.padding = padding;
    return options;
  }

  Spatial<N> kernel_size_;
  AvgPoolOptions<N> options_;
};

// Results of these sizes, whatever the input's; kSameSize keeps one. Of size 1: global pooling.
template <int N>
class AdaptiveAvgPool : public Module {
 public:
  explicit AdaptiveAvgPool(const Spatial<N>& output_size);
  Tensor forward(const Tensor& x) override;

 private:
  Spatial<N> output_size_;
};

template <int N>
class AdaptiveMaxPool : public Module {
 public:
  explicit AdaptiveMaxPool(const Spatial<N>& output_size);
  Tensor forward(const Tensor& x) override;
  std::pair<Tensor, Tensor> forward_with_indices(const Tensor& x);  // as MaxPool's

 private:
  Spatial<N> output_size_;
};

using MaxPool1d = MaxPool<1>;
using MaxPool2d = MaxPool<2>;
using MaxPool3d = MaxPool<3>;
using MaxUnpool1d = MaxUnpool<1>;
using MaxUnpool2d = MaxUnpool<2>;
using MaxUnpool3d = MaxUnpool<3>;
using AvgPool1d = AvgPool<1>;
using AvgPool2d = AvgPool<2>;
using AvgPool3d = AvgPool<3>;
using AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
using AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
using AdaptiveAvgPool3d = AdaptiveAvgPool<3>;
using AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
using AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
using AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

}  // namespace gradus::nn
