#include <gradus/nn/layers/convolution.h>
#include <gradus/ops/convolution.h>
#include <gradus/ops/resampling.h>

#include <algorithm>

#include "nn/module/initial.h"
#include "nn/module/repr.h"

namespace gradus::nn {

namespace {

template <int N>
std::string name_of(bool transposed) {
  return (transposed ? "ConvTranspose" : "Conv") + std::to_string(N) + "d";
}

void check_channels(const std::string& layer, std::int64_t in, std::int64_t out, std::int64_t groups) {
  if (in < 0 || out < 0 || groups < 1 || in % groups != 0 || out % groups != 0) {
    throw ValueError(layer + ": in_channels and out_channels must be multiples of groups, which is at least 1, got " +
                     std::to_string(in) + ", " + std::to_string(out) + " and " + std::to_string(groups));
  }
}

// Kernels and strides of 1 or more, paddings of 0 or more.
template <int N>
void check_at_least(const std::string& layer, const char* what, const Spatial<N>& values, std::int64_t least) {
  for (int i = 0; i < N; ++i) {
    if (values[i] < least) {
      throw ValueError(layer + ": " + what + " must be at least " + std::to_string(least) + ", got " + tuple(values));
    }
  }
}

// [a, b, kernel...]
template <int N>
Shape weight_sizes(std::int64_t a, std::int64_t b, const Spatial<N>& kernel) {
  Shape sizes{a, b};
  for (int i = 0; i < N; ++i) sizes.push_back(kernel[i]);
  check_sizes("Conv", sizes);
  return sizes;
}

std::int64_t fan_in(const Shape& weight) { return weight[0] == 0 ? 0 : weight.numel() / weight[0]; }

// What stands between the parentheses; each part only where it is not the default.
template <int N, class Options>
std::string detail_of(std::int64_t in, std::int64_t out, const Spatial<N>& kernel, const Options& o,
                      const std::string& padding, const Spatial<N>& output_padding, const std::string& mode) {
  return std::to_string(in) + ", " + std::to_string(out) + ", kernel_size=" + tuple(kernel) +
         ", stride=" + tuple(o.stride) + padding +
         (o.dilation != Spatial<N>(1) ? ", dilation=" + tuple(o.dilation) : "") +
         (output_padding != Spatial<N>(0) ? ", output_padding=" + tuple(output_padding) : "") +
         (o.groups != 1 ? ", groups=" + std::to_string(o.groups) : "") + (o.bias ? "" : ", bias=False") + mode;
}

template <int N>
std::string padding_detail(const Spatial<N>& padding) {
  return padding != Spatial<N>(0) ? ", padding=" + tuple(padding) : "";
}

// The call for N dimensions.
template <int N>
constexpr auto convolve = nullptr;
template <>
constexpr auto convolve<1> = conv1d;
template <>
constexpr auto convolve<2> = conv2d;
template <>
constexpr auto convolve<3> = conv3d;
template <int N>
constexpr auto convolve_transposed = nullptr;
template <>
constexpr auto convolve_transposed<1> = conv_transpose1d;
template <>
constexpr auto convolve_transposed<2> = conv_transpose2d;
template <>
constexpr auto convolve_transposed<3> = conv_transpose3d;

}  // namespace

template <int N>
Conv<N>::Conv(std::int64_t in_channels, std::int64_t out_channels, const Spatial<N>& kernel_size,
              const ConvOptions<N>& options)
    : Module(name_of<N>(false),
             detail_of(in_channels, out_channels, kernel_size, options,
                       options.padding.rule().empty() ? padding_detail(options.padding.size())
                                                      : ", padding=" + options.padding.rule(),
                       Spatial<N>(0), options.padding_mode == "zeros" ? "" : ", padding_mode=" + options.padding_mode)),
      in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options_(options) {
  const std::string layer = name_of<N>(false);
  check_channels(layer, in_channels, out_channels, options.groups);
  check_at_least(layer, "kernel_size", kernel_size, 1);
  check_at_least(layer, "stride", options.stride, 1);
  check_at_least(layer, "dilation", options.dilation, 1);
  check_at_least(layer, "padding", options.padding.size(), 0);
  if (options.padding.is_same() && options.stride != Spatial<N>(1)) {
    throw ValueError(layer + ": padding 'same' needs stride 1, got " + tuple(options.stride));
  }
  if (options.padding_mode != "zeros") {
    const std::string modes[] = {"reflect", "replicate", "circular"};
    if (std::find(std::begin(modes), std::end(modes), options.padding_mode) == std::end(modes)) {
      throw ValueError(layer + ": padding_mode must be 'zeros', 'reflect', 'replicate' or 'circular', got '" +
                       options.padding_mode + "'");
    }
    for (int i = N - 1; i >= 0; --i) {
      const std::int64_t reach = options.dilation[i] * (kernel_size[i] - 1);
      const std::int64_t before = options.padding.is_same() ? reach / 2 : options.padding.size()[i];
      around_.insert(around_.end(), {before, options.padding.is_same() ? reach - before : before});
    }
  }
  const Shape sizes = weight_sizes(out_channels, in_channels / options.groups, kernel_size);
  weight = add("weight", uniform_parameter(sizes, fan_in(sizes), options.dtype));
  bias = add("bias", options.bias ? uniform_parameter({out_channels}, fan_in(sizes), options.dtype) : Parameter());
}

template <int N>
Tensor Conv<N>::forward(const Tensor& x) {
  const bool padded = !around_.empty();
  return convolve<N>(padded ? pad(x, around_, options_.padding_mode) : x, weight, bias, options_.stride,
                     padded ? ConvPadding<N>(0) : options_.padding, options_.dilation, options_.groups);
}

template <int N>
ConvTranspose<N>::ConvTranspose(std::int64_t in_channels, std::int64_t out_channels, const Spatial<N>& kernel_size,
                                const ConvTransposeOptions<N>& options)
    : Module(name_of<N>(true), detail_of(in_channels, out_channels, kernel_size, options,
                                         padding_detail(options.padding), options.output_padding, "")),
      in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options_(options) {
  const std::string layer = name_of<N>(true);
  check_channels(layer, in_channels, out_channels, options.groups);
  check_at_least(layer, "kernel_size", kernel_size, 1);
  check_at_least(layer, "stride", options.stride, 1);
  check_at_least(layer, "dilation", options.dilation, 1);
  check_at_least(layer, "padding", options.padding, 0);
  check_at_least(layer, "output_padding", options.output_padding, 0);
  const Shape sizes = weight_sizes(in_channels, out_channels / options.groups, kernel_size);
  weight = add("weight", uniform_parameter(sizes, fan_in(sizes), options.dtype));
  bias = add("bias", options.bias ? uniform_parameter({out_channels}, fan_in(sizes), options.dtype) : Parameter());
}

template <int N>
Tensor ConvTranspose<N>::convolved(const Tensor& x, const Spatial<N>& output_padding) const {
  return convolve_transposed<N>(x, weight, bias, options_.stride, options_.padding, output_padding, options_.groups,
                                options_.dilation);
}

template <int N>
Tensor ConvTranspose<N>::forward(const Tensor& x) {
  return convolved(x, options_.output_padding);
}

template <int N>
Tensor ConvTranspose<N>::forward(const Tensor& x, const Shape& output_size) {
  if (output_size.rank() != N || x.dim() < N) {
    throw ShapeError(type_name() + ": output_size needs " + std::to_string(N) + " numbers, got " +
                     gradus::to_string(output_size));
  }
  Spatial<N> output_padding = 0;
  for (int i = 0; i < N; ++i) {
    const std::int64_t in = x.size(i - N), kernel = weight.size(i - N);
    const std::int64_t least =
        (in - 1) * options_.stride[i] - 2 * options_.padding[i] + options_.dilation[i] * (kernel - 1) + 1;
    output_padding[i] = output_size[i] - least;
    if (output_padding[i] < 0 || output_padding[i] >= options_.stride[i]) {
      throw ShapeError(type_name() + ": of x " + gradus::to_string(x.sizes()) + " comes a size from " +
                       std::to_string(least) + " to " + std::to_string(least + options_.stride[i] - 1) +
                       " in dimension " + std::to_string(i - N) + ", got output_size " +
                       gradus::to_string(output_size));
    }
  }
  return convolved(x, output_padding);
}

template class Conv<1>;
template class Conv<2>;
template class Conv<3>;
template class ConvTranspose<1>;
template class ConvTranspose<2>;
template class ConvTranspose<3>;

}  // namespace gradus::nn
