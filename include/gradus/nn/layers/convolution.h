// Convolutions as modules; the functions are in gradus/ops/convolution.h.
//
//   nn::Conv2d(3, 64, 7, {.stride = 2, .padding = 3, .bias = false})
//   nn::Conv2d(16, 16, {3, 5}, {.padding = "same", .groups = 4})
#pragma once

#include <gradus/nn/layers/positional.h>
#include <gradus/nn/module.h>
#include <gradus/ops/spatial.h>

namespace gradus::nn {

template <int N>
struct ConvOptions {
  Spatial<N> stride = 1;
  ConvPadding<N> padding = 0;
  Spatial<N> dilation = 1;
  std::int64_t groups = 1;  // divides both channel counts
  bool bias = true;
  std::string padding_mode = "zeros";  // or "reflect", "replicate", "circular"
  Dtype dtype = kFloat32;
};

// [N, in_channels, spatial...] or, without a batch, [in_channels, spatial...]. weight [out, in / groups, kernel...] and
// bias [out] start uniform in +-1/sqrt(in / groups * kernel elements), as PyTorch's.
template <int N>
class Conv : public Module {
 public:
  std::int64_t in_channels, out_channels;
  Spatial<N> kernel_size;
  Parameter weight, bias;
  Conv(std::int64_t in_channels, std::int64_t out_channels, const Spatial<N>& kernel_size,
       const ConvOptions<N>& options = {});
  // Stride and padding by position, as in PyTorch, where braces without names are a stride for each dimension.
  template <detail::Count Stride>
  Conv(std::int64_t in, std::int64_t out, const Spatial<N>& kernel, Stride stride, const ConvPadding<N>& padding = 0,
       const ConvOptions<N>& options = {})
      : Conv(in, out, kernel, with(options, detail::spatial_of<N>(stride), padding)) {}
  template <detail::Count Stride>
  Conv(std::int64_t in, std::int64_t out, const Spatial<N>& kernel, std::initializer_list<Stride> stride,
       const ConvPadding<N>& padding = 0, const ConvOptions<N>& options = {})
      : Conv(in, out, kernel, with(options, detail::spatial_of<N>(stride), padding)) {}
  Tensor forward(const Tensor& x) override;
  const ConvOptions<N>& options() const { return options_; }

 private:
  static ConvOptions<N> with(ConvOptions<N> options, const Spatial<N>& stride, const ConvPadding<N>& padding) {
    options.stride = stride;
    options.padding = padding;
    return options;
  }

  ConvOptions<N> options_;
  std::vector<std::int64_t> around_;  // what is padded first, where padding_mode is not "zeros"
};

template <int N>
struct ConvTransposeOptions {
  Spatial<N> stride = 1;
  Spatial<N> padding = 0;
  Spatial<N> output_padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
  Spatial<N> dilation = 1;
  Dtype dtype = kFloat32;
};

// weight [in, out / groups, kernel...] and bias [out] start uniform in +-1/sqrt(out / groups * kernel elements).
template <int N>
class ConvTranspose : public Module {
 public:
  std::int64_t in_channels, out_channels;
  Spatial<N> kernel_size;
  Parameter weight, bias;
  ConvTranspose(std::int64_t in_channels, std::int64_t out_channels, const Spatial<N>& kernel_size,
                const ConvTransposeOptions<N>& options = {});
  // Stride and padding by position, as in PyTorch, where braces without names are a stride for each dimension.
  template <detail::Count Stride>
  ConvTranspose(std::int64_t in, std::int64_t out, const Spatial<N>& kernel, Stride stride,
                const Spatial<N>& padding = 0, const ConvTransposeOptions<N>& options = {})
      : ConvTranspose(in, out, kernel, with(options, detail::spatial_of<N>(stride), padding)) {}
  template <detail::Count Stride>
  ConvTranspose(std::int64_t in, std::int64_t out, const Spatial<N>& kernel, std::initializer_list<Stride> stride,
                const Spatial<N>& padding = 0, const ConvTransposeOptions<N>& options = {})
      : ConvTranspose(in, out, kernel, with(options, detail::spatial_of<N>(stride), padding)) {}
  Tensor forward(const Tensor& x) override;
  // With the output_padding that leads to these spatial sizes; ShapeError where none does.
  Tensor forward(const Tensor& x, const Shape& output_size);
  using Module::operator();
  Tensor operator()(const Tensor& x, const Shape& output_size) {
    return Module::call([&] { return forward(x, output_size); });
  }
  const ConvTransposeOptions<N>& options() const { return options_; }

 private:
  static ConvTransposeOptions<N> with(ConvTransposeOptions<N> options, const Spatial<N>& stride,
                                      const Spatial<N>& padding) {
    options.stride = stride;
    options.padding = padding;
    return options;
  }

  Tensor convolved(const Tensor& x, const Spatial<N>& output_padding) const;

  ConvTransposeOptions<N> options_;
};

using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

extern template class Conv<1>;
extern template class Conv<2>;
extern template class Conv<3>;
extern template class ConvTranspose<1>;
extern template class ConvTranspose<2>;
extern template class ConvTranspose<3>;

}  // namespace gradus::nn
