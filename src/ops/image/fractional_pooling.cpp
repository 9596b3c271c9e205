#include <gradus/ops.h>
#include <gradus/ops/fractional_pooling.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace gradus {

namespace {

template <int N>
std::array<std::int64_t, N> result_sizes(const std::string& call, const Shape& in, const Spatial<N>& kernel,
                                         const FractionalPoolArguments<N>& o) {
  if (o.output_size.has_value() == !o.output_ratio.empty())
    throw ValueError(call + ": needs one of output_size and output_ratio, got " + (o.output_size ? "both" : "neither"));
  if (o.output_ratio.size() > 1 && o.output_ratio.size() != N)
    throw ValueError(call + ": output_ratio needs 1 or " + std::to_string(N) + " numbers, got " +
                     std::to_string(o.output_ratio.size()));
  std::array<std::int64_t, N> out{};
  for (int i = 0; i < N; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t size = in[in.rank() - N + i];
    if (o.output_size) {
      out[at] = (*o.output_size)[i];
    } else {
      const double ratio = o.output_ratio[o.output_ratio.size() == 1 ? 0 : at];
      if (!(ratio > 0 && ratio < 1))
        throw ValueError(call + ": output_ratio must be above 0 and below 1, got " + to_string(ratio));
      out[at] = static_cast<std::int64_t>(static_cast<double>(size) * ratio);
    }
    if (out[at] < 1 || kernel[i] < 1 || out[at] > size || kernel[i] > size - out[at] + 1)
      throw ValueError(call + ": kernel_size must be in [1, in - out + 1], and the result's size at least 1; got " +
                       std::to_string(kernel[i]) + " for in " + std::to_string(size) + " and out " +
                       std::to_string(out[at]));
  }
  return out;
}

// Where the windows of one dimension begin, for all planes: [planes, out]. `drawn` [planes] is of x's type, as PyTorch
// computes with that.
Tensor begins(const Tensor& drawn, std::int64_t in, std::int64_t out, std::int64_t kernel) {
  const Tensor last = full({drawn.size(0), 1}, in - kernel, {.dtype = kInt64, .device = drawn.device()});
  if (out == 1) return last;
  const double step = static_cast<double>(in - kernel) / static_cast<double>(out - 1);
  const Tensor alpha = full({}, step, {.dtype = drawn.dtype(), .device = drawn.device()});
  const Tensor at = unsqueeze(drawn, 1);
  const Tensor places = arange(out - 1, {.dtype = drawn.dtype(), .device = drawn.device()});
  return cat({((places + at) * alpha).to(kInt64) - (at * alpha).to(kInt64), last}, 1);
}

template <int N>
std::pair<Tensor, Tensor> pooled(const std::string& call, const Tensor& x, const Spatial<N>& kernel,
                                 const FractionalPoolArguments<N>& o) {
  if (x.dim() != N + 1 && x.dim() != N + 2)
    throw ShapeError(call + ": need x of " + std::to_string(N + 2) + " dimensions (" + std::to_string(N + 1) +
                     " without a batch), got " + to_string(x.sizes()));
  if (!x.is_floating_point()) throw DtypeError(call + ": needs a floating-point tensor, got " + to_string(x.dtype()));
  const Shape& in = x.sizes();
  const auto out = result_sizes(call, in, kernel, o);
  const int outer = in.rank() - N;
  const std::int64_t batch = outer == 2 ? in[0] : 1, channels = in[outer - 1], planes = batch * channels;
  Tensor drawn = o.random_samples;
  if (!drawn.defined()) {
    drawn = rand({batch, channels, N}, {.dtype = x.dtype(), .device = x.device()}, o.generator);
  } else if (!(drawn.sizes() == Shape{batch, channels, N})) {
    throw ShapeError(call + ": random_samples must be " + to_string(Shape{batch, channels, N}) + ", got " +
                     to_string(drawn.sizes()));
  } else if (drawn.dtype() != x.dtype()) {
    throw DtypeError(call + ": random_samples must be of x's type, " + to_string(x.dtype()) + ", got " +
                     to_string(drawn.dtype()));
  }
  drawn = reshape(drawn, {planes, N});

  // The positions of all elements of all windows, [planes, out..., kernel...], dimension by dimension.
  Tensor places = zeros({1}, {.dtype = kInt64, .device = x.device()});
  std::int64_t windows = 1, elements = 1, spatial = 1;
  for (int i = 0; i < N; ++i) {
    const std::int64_t size = in[outer + i], count = out[static_cast<std::size_t>(i)];
    // In PyTorch, the first number of two is for the width, and the first of three for the depth.
    const Tensor from = begins(select(drawn, 1, N == 2 ? 1 - i : i), size, count, kernel[i]);
    const Tensor within = arange(kernel[i], {.dtype = kInt64, .device = x.device()});
    const Tensor line = unsqueeze(from, 2) + within;
    std::vector<std::int64_t> shape(2 * N + 1, 1);
    shape[0] = planes;
    shape[static_cast<std::size_t>(1 + i)] = count;
    shape[static_cast<std::size_t>(1 + N + i)] = kernel[i];
    places = places * size + reshape(line, shape);
    windows *= count;
    elements *= kernel[i];
    spatial *= size;
  }
  places = reshape(places, {planes, windows, elements});
  Shape result = in;
  for (int i = 0; i < N; ++i) result[outer + i] = out[static_cast<std::size_t>(i)];
  if (planes == 0) return {reshape(x, result), zeros(result, {.dtype = kInt64, .device = x.device()})};
  const Tensor found = gather(reshape(x, {planes, spatial}), 1, reshape(places, {planes, windows * elements}));
  const auto [values, which] = max(reshape(found, {planes, windows, elements}), 2);
  const Tensor indices = gather(places, 2, unsqueeze(which, 2));
  return {reshape(values, result), reshape(indices, result)};
}

}  // namespace

std::pair<Tensor, Tensor> fractional_max_pool2d_with_indices(const Tensor& x, const Spatial<2>& kernel_size,
                                                             const FractionalPoolArguments<2>& arguments) {
  return pooled("fractional_max_pool2d", x, kernel_size, arguments);
}
std::pair<Tensor, Tensor> fractional_max_pool3d_with_indices(const Tensor& x, const Spatial<3>& kernel_size,
                                                             const FractionalPoolArguments<3>& arguments) {
  return pooled("fractional_max_pool3d", x, kernel_size, arguments);
}
Tensor fractional_max_pool2d(const Tensor& x, const Spatial<2>& kernel_size,
                             const FractionalPoolArguments<2>& arguments) {
  return pooled("fractional_max_pool2d", x, kernel_size, arguments).first;
}
Tensor fractional_max_pool3d(const Tensor& x, const Spatial<3>& kernel_size,
                             const FractionalPoolArguments<3>& arguments) {
  return pooled("fractional_max_pool3d", x, kernel_size, arguments).first;
}

}  // namespace gradus
