#include <gradus/ops.h>
#include <gradus/ops/unpooling.h>

#include <limits>

namespace gradus {

namespace {

template <int N>
Shape unpooled_sizes(const char* call, const Tensor& x, const Spatial<N>& kernel, const Spatial<N>& stride,
                     const Spatial<N>& padding, const Shape& wanted) {
  const int outer = static_cast<int>(x.dim()) - N, given = wanted.rank();
  if (given != 0 && given != N && given != x.dim()) {
    throw ShapeError(std::string(call) + ": output_size must have " + std::to_string(N) + " or " +
                     std::to_string(x.dim()) + " sizes, got " + to_string(wanted));
  }
  Shape sizes = x.sizes();
  for (int i = 0; i < N; ++i) {
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    if (kernel[i] < 1 || stride[i] < 1 || padding[i] < 0 || kernel[i] > most || stride[i] > most || padding[i] > most) {
      throw ValueError(std::string(call) + ": kernel_size and stride must be at least 1 and padding at least 0, got " +
                       std::to_string(kernel[i]) + ", " + std::to_string(stride[i]) + " and " +
                       std::to_string(padding[i]));
    }
    std::int64_t usual = 0;
    if (__builtin_mul_overflow(x.sizes()[outer + i] - 1, stride[i], &usual) || usual > (std::int64_t{1} << 61))
      throw ShapeError(std::string(call) + ": the result is too large for x " + to_string(x.sizes()));
    usual += kernel[i] - 2 * padding[i];
    const std::int64_t size = given == 0 ? usual : wanted[given - N + i];
    if (size < 1 || (given != 0 && (size <= usual - stride[i] || size >= usual + stride[i]))) {
      throw ShapeError(std::string(call) + ": output_size must lie within a stride of " + std::to_string(usual) +
                       " in dimension " + std::to_string(outer + i) + ", got " + std::to_string(size));
    }
    sizes[outer + i] = size;
  }
  for (int d = 0; d < outer && given == x.dim(); ++d) {
    if (wanted[d] != sizes[d])
      throw ShapeError(std::string(call) + ": output_size must begin with the sizes of x, " + to_string(x.sizes()) +
                       ", got " + to_string(wanted));
  }
  return sizes;
}

template <int N>
Tensor max_unpool(const char* call, const Tensor& x, const Tensor& indices, const Spatial<N>& kernel,
                  const std::optional<Spatial<N>>& stride, const Spatial<N>& padding, const Shape& output_size) {
  if (x.dim() != N + 1 && x.dim() != N + 2) {
    throw ShapeError(std::string(call) + ": need x of " + std::to_string(N + 2) + " dimensions (" +
                     std::to_string(N + 1) + " without a batch), got " + to_string(x.sizes()));
  }
  if (indices.dtype() != kInt64)
    throw DtypeError(std::string(call) + ": indices must be int64, got " + to_string(indices.dtype()));
  if (!(indices.sizes() == x.sizes())) {
    throw ShapeError(std::string(call) + ": indices must have the sizes of x, " + to_string(x.sizes()) + ", got " +
                     to_string(indices.sizes()));
  }
  const Shape sizes = unpooled_sizes(call, x, kernel, stride.value_or(kernel), padding, output_size);
  if (x.numel() == 0) return reshape(x, sizes);
  std::int64_t planes = 1, places = 1, in = 1;
  const int outer = static_cast<int>(x.dim()) - N;
  for (int d = 0; d < static_cast<int>(x.dim()); ++d) {
    (d < outer ? planes : places) *= sizes[d];
    if (d >= outer) in *= x.sizes()[d];
  }
  const Tensor empty = zeros({planes, places}, {.dtype = x.dtype(), .device = x.device()});
  return reshape(scatter(empty, 1, reshape(indices, {planes, in}), reshape(x, {planes, in})), sizes);
}

}  // namespace

Tensor max_unpool1d(const Tensor& x, const Tensor& indices, const Spatial<1>& kernel_size,
                    const std::optional<Spatial<1>>& stride, const Spatial<1>& padding, const Shape& output_size) {
  return max_unpool("max_unpool1d", x, indices, kernel_size, stride, padding, output_size);
}
Tensor max_unpool2d(const Tensor& x, const Tensor& indices, const Spatial<2>& kernel_size,
                    const std::optional<Spatial<2>>& stride, const Spatial<2>& padding, const Shape& output_size) {
  return max_unpool("max_unpool2d", x, indices, kernel_size, stride, padding, output_size);
}
Tensor max_unpool3d(const Tensor& x, const Tensor& indices, const Spatial<3>& kernel_size,
                    const std::optional<Spatial<3>>& stride, const Spatial<3>& padding, const Shape& output_size) {
  return max_unpool("max_unpool3d", x, indices, kernel_size, stride, padding, output_size);
}

}  // namespace gradus
