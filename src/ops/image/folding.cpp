#include <gradus/ops.h>
#include <gradus/ops/folding.h>
#include <gradus/ops/pooling.h>
#include <gradus/ops/resampling.h>

#include <cmath>

#include "core/range.h"
#include "core/tensor_access.h"

namespace gradus {

namespace {

std::string text(const Spatial<2>& s) { return "[" + std::to_string(s[0]) + ", " + std::to_string(s[1]) + "]"; }

// Windows over an image of the given sizes.
struct Windows {
  Spatial<2> kernel, dilation, padding, stride, padded = 0, count = 0;

  Windows(const char* call, const Spatial<2>& image, const Spatial<2>& k, const Spatial<2>& d, const Spatial<2>& p,
          const Spatial<2>& s)
      : kernel(k), dilation(d), padding(p), stride(s) {
    for (int i = 0; i < 2; ++i) {
      if (k[i] < 1 || d[i] < 1 || s[i] < 1 || p[i] < 0) {
        throw ValueError(std::string(call) + ": kernel_size, dilation and stride must be positive and padding not " +
                         "negative, got " + text(k) + ", " + text(d) + ", " + text(s) + " and " + text(p));
      }
      padded[i] = image[i] + 2 * p[i];
      const std::int64_t room = padded[i] - d[i] * (k[i] - 1) - 1;
      count[i] = room < 0 ? 0 : room / s[i] + 1;
    }
    if (count[0] < 1 || count[1] < 1) {
      throw ShapeError(std::string(call) + ": no window of kernel_size " + text(k) + " and dilation " + text(d) +
                       " fits into " + text(image) + " with padding " + text(p));
    }
  }
  std::int64_t elements() const { return kernel[0] * kernel[1]; }
  std::int64_t total() const { return count[0] * count[1]; }

  // Of each element of each window, in the order of the columns: its place in the padded image.
  Tensor places(Device device) const {
    std::vector<std::int64_t> all;
    all.reserve(static_cast<std::size_t>(elements() * total()));
    for (std::int64_t i = 0; i < kernel[0]; ++i)
      for (std::int64_t j = 0; j < kernel[1]; ++j)
        for (std::int64_t y = 0; y < count[0]; ++y)
          for (std::int64_t x = 0; x < count[1]; ++x)
            all.push_back((i * dilation[0] + y * stride[0]) * padded[1] + j * dilation[1] + x * stride[1]);
    return tensor(all, {.device = device});
  }
};

// pow of the sums of powers, which a mean that was multiplied again gives.
Tensor root_of(const Tensor& means, double elements, double norm_type) {
  return pow(sign(means) * relu(abs(means)) * elements, 1 / norm_type);
}

template <class Max, class Mean>
Tensor lp_pool(const char* call, const Tensor& x, double norm_type, double elements, Max max_of, Mean mean_of) {
  if (norm_type == 0 || std::isnan(norm_type)) {
    throw ValueError(std::string(call) + ": norm_type must not be 0, got " + std::to_string(norm_type));
  }
  if (std::isinf(norm_type)) return norm_type > 0 ? max_of(abs(x)) : -max_of(-abs(x));
  return root_of(mean_of(pow(x, norm_type)), elements, norm_type);
}

}  // namespace

Tensor unfold(const Tensor& x, const Spatial<2>& kernel_size, const Spatial<2>& dilation, const Spatial<2>& padding,
              const Spatial<2>& stride) {
  if (x.dim() != 3 && x.dim() != 4) {
    throw ShapeError("unfold: needs [N, C, H, W] or [C, H, W], got " + to_string(x.sizes()));
  }
  if (x.dim() == 3) return squeeze(unfold(unsqueeze(x, 0), kernel_size, dilation, padding, stride), 0);
  const Windows w("unfold", {x.size(2), x.size(3)}, kernel_size, dilation, padding, stride);
  const Tensor around = pad(x, {padding[1], padding[1], padding[0], padding[0]});
  const Tensor lines = reshape(around, {x.size(0), x.size(1), w.padded[0] * w.padded[1]});
  return reshape(index_select(lines, 2, w.places(x.device())), {x.size(0), x.size(1) * w.elements(), w.total()});
}

Tensor fold(const Tensor& x, const Spatial<2>& output_size, const Spatial<2>& kernel_size, const Spatial<2>& dilation,
            const Spatial<2>& padding, const Spatial<2>& stride) {
  if (x.dim() != 2 && x.dim() != 3) {
    throw ShapeError("fold: needs [N, C * kernel elements, windows], or the same without N, got " +
                     to_string(x.sizes()));
  }
  if (x.dim() == 2) return squeeze(fold(unsqueeze(x, 0), output_size, kernel_size, dilation, padding, stride), 0);
  const Windows w("fold", output_size, kernel_size, dilation, padding, stride);
  if (x.size(1) % w.elements() != 0 || x.size(2) != w.total()) {
    throw ShapeError("fold: for output_size " + text(output_size) + " and kernel_size " + text(kernel_size) +
                     " the input must be [N, a multiple of " + std::to_string(w.elements()) + ", " +
                     std::to_string(w.total()) + "], got " + to_string(x.sizes()));
  }
  const std::int64_t channels = x.size(1) / w.elements();
  const Tensor nothing =
      zeros({x.size(0), channels, w.padded[0] * w.padded[1]}, {.dtype = x.dtype(), .device = x.device()});
  const Tensor columns = reshape(x, {x.size(0), channels, w.elements() * w.total()});
  const Tensor image =
      reshape(index_add(nothing, 2, w.places(x.device()), columns), {x.size(0), channels, w.padded[0], w.padded[1]});
  return narrow(narrow(image, 2, padding[0], output_size[0]), 3, padding[1], output_size[1]).contiguous();
}

Tensor lp_pool1d(const Tensor& x, double norm_type, const Spatial<1>& kernel, const std::optional<Spatial<1>>& stride,
                 bool ceil_mode) {
  return lp_pool(
      "lp_pool1d", x, norm_type, static_cast<double>(kernel[0]),
      [&](const Tensor& y) { return max_pool1d(y, kernel, stride, 0, 1, ceil_mode); },
      [&](const Tensor& y) { return avg_pool1d(y, kernel, stride, 0, ceil_mode); });
}
Tensor lp_pool2d(const Tensor& x, double norm_type, const Spatial<2>& kernel, const std::optional<Spatial<2>>& stride,
                 bool ceil_mode) {
  return lp_pool(
      "lp_pool2d", x, norm_type, static_cast<double>(kernel[0] * kernel[1]),
      [&](const Tensor& y) { return max_pool2d(y, kernel, stride, 0, 1, ceil_mode); },
      [&](const Tensor& y) { return avg_pool2d(y, kernel, stride, 0, ceil_mode); });
}
Tensor lp_pool3d(const Tensor& x, double norm_type, const Spatial<3>& kernel, const std::optional<Spatial<3>>& stride,
                 bool ceil_mode) {
  return lp_pool(
      "lp_pool3d", x, norm_type, static_cast<double>(kernel[0] * kernel[1] * kernel[2]),
      [&](const Tensor& y) { return max_pool3d(y, kernel, stride, 0, 1, ceil_mode); },
      [&](const Tensor& y) { return avg_pool3d(y, kernel, stride, 0, ceil_mode); });
}

Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha, double beta, double k) {
  check_range("local_response_norm", "size", size, at_least(1));
  if (x.dim() < 3) {
    throw ShapeError("local_response_norm: needs [N, C, ...] of at least 3 dimensions, got " + to_string(x.sizes()));
  }
  if (x.numel() == 0) return x;
  const std::int64_t n = x.size(0), channels = x.size(1);
  const Tensor squares = reshape(x * x, {n, 1, channels, x.numel() / (n * channels)});
  const Tensor means = avg_pool2d(pad(squares, {0, 0, size / 2, (size - 1) / 2}), {size, 1}, Spatial<2>(1));
  return x / pow(reshape(means, x.sizes()) * alpha + k, beta);
}

Tensor channel_shuffle(const Tensor& x, std::int64_t groups) {
  if (x.dim() < 3) {
    throw ShapeError("channel_shuffle: needs [N, C, ...] of at least 3 dimensions, got " + to_string(x.sizes()));
  }
  const std::int64_t n = x.size(0), channels = x.size(1);
  if (groups < 1 || channels % groups != 0) {
    throw ValueError("channel_shuffle: groups must be positive and divide the channels, got " + std::to_string(groups) +
                     " groups and " + std::to_string(channels) + " channels");
  }
  std::int64_t rest = 1;
  for (int d = 2; d < x.sizes().rank(); ++d) rest *= x.sizes()[d];
  return reshape(transpose(reshape(x, {n, groups, channels / groups, rest}), 1, 2), x.sizes());
}

}  // namespace gradus
