// Resizing with antialiasing: PyTorch's upsample_bilinear2d_aa and upsample_bicubic2d_aa, which follow Pillow's
// (Turkowski, 1990): first along rows, then across them, each output a weighted sum over a window of inputs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/image.h"
#include "gradus/data/functional.h"
#include "gradus/error.h"
#include "gradus/ops.h"
#include "gradus/resampling.h"
#include "kernels/cpu/image.h"

namespace gradus::data::functional {

namespace {

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

double cubic(double x) {
  constexpr double a = -0.5;  // Pillow's; interpolation without antialiasing has -0.75
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

struct Windows {
  std::int64_t taps = 0;
  std::vector<std::int32_t> first;
  std::vector<double> weights;
  double largest = 0;
};

Windows windows_of(std::int64_t in, std::int64_t out, bool bicubic) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0), support = (bicubic ? 2 : 1) * stretch;
  Windows w;
  w.taps = std::min(in, 2 * static_cast<std::int64_t>(std::ceil(support)) + 1);
  w.weights.assign(static_cast<std::size_t>(out * w.taps), 0);
  for (std::int64_t i = 0; i < out; ++i) {
    const double center = scale * (static_cast<double>(i) + 0.5);
    const std::int64_t begin = std::max(std::int64_t{0}, static_cast<std::int64_t>(center - support + 0.5));
    const std::int64_t end = std::min({in, static_cast<std::int64_t>(center + support + 0.5), begin + w.taps});
    // At the far edge the window starts earlier, with weights of 0, so that all are equally long.
    const std::int64_t first = std::min(begin, in - w.taps);
    double* weights = w.weights.data() + i * w.taps + (begin - first);
    double sum = 0;
    for (std::int64_t j = 0; j < end - begin; ++j) {
      const double x = (static_cast<double>(j + begin) - center + 0.5) / stretch;
      sum += weights[j] = bicubic ? cubic(x) : triangle(x);
    }
    for (std::int64_t j = 0; j < end - begin && sum != 0; ++j) {
      weights[j] /= sum;
      w.largest = std::max(w.largest, weights[j]);
    }
    w.first.push_back(static_cast<std::int32_t>(first));
  }
  return w;
}

struct IntegerWeights {
  std::vector<std::int32_t> weights;
  int precision = 0;
};

// With as many bits behind the point as 16 hold.
IntegerWeights to_integers(const Windows& windows) {
  IntegerWeights result;
  while (result.precision < 22 && 0.5 + windows.largest * (1 << (result.precision + 1)) < (1 << 15)) ++result.precision;
  const double one = 1 << result.precision;
  for (const double w : windows.weights) {
    result.weights.push_back(static_cast<std::int32_t>(w < 0 ? w * one - 0.5 : w * one + 0.5));
  }
  return result;
}

Tensor resize_bytes(const Tensor& image, std::int64_t height, std::int64_t width, bool bicubic) {
  Interleaved from = interleaved(image);
  const std::int64_t channels = from.channels;
  if (width != from.width) {
    const Windows w = windows_of(from.width, width, bicubic);
    const IntegerWeights integers = to_integers(w);
    const Tensor rows = empty_interleaved(channels, from.height, width);
    cpu::resize_rows(from.data, from.stride, from.height, from.width, width, channels,
                     {w.taps, w.first.data(), integers.weights.data()}, integers.precision,
                     rows.data_ptr<std::uint8_t>());
    from = interleaved(rows);
  }
  if (height == from.height) return from.owner;
  const Windows w = windows_of(from.height, height, bicubic);
  const IntegerWeights integers = to_integers(w);
  Tensor result = empty_interleaved(channels, height, width);
  cpu::resize_columns(from.data, from.stride, height, width * channels,
                      {w.taps, w.first.data(), integers.weights.data()}, integers.precision,
                      result.data_ptr<std::uint8_t>());
  return result;
}

Tensor resize_floats(const Tensor& image, std::int64_t height, std::int64_t width, bool bicubic) {
  Tensor x = image.contiguous();
  const std::int64_t channels = x.size(0);
  const auto along = [&](std::int64_t in, std::int64_t out, const auto& run) {
    const Windows w = windows_of(in, out, bicubic);
    const std::vector<float> weights(w.weights.begin(), w.weights.end());
    run(cpu::ResizeWindows<float>{w.taps, w.first.data(), weights.data()});
  };
  if (width != x.size(2)) {
    const Tensor y = empty({channels, x.size(1), width});
    along(x.size(2), width, [&](const auto& w) {
      cpu::resize_rows(x.data_ptr<float>(), channels * x.size(1), x.size(2), width, w, y.data_ptr<float>());
    });
    x = y;
  }
  if (height != x.size(1)) {
    const Tensor y = empty({channels, height, width});
    along(x.size(1), height, [&](const auto& w) {
      for (std::int64_t c = 0; c < channels; ++c) {
        cpu::resize_columns(x.data_ptr<float>() + c * x.size(1) * width, height, width, w,
                            y.data_ptr<float>() + c * height * width);
      }
    });
    x = y;
  }
  return x;
}

Tensor interpolated(const Tensor& image, std::int64_t height, std::int64_t width, InterpolationMode mode) {
  const bool nearest = mode == InterpolationMode::Nearest || mode == InterpolationMode::NearestExact;
  gradus::InterpolateOptions options{.size = {height, width}};
  options.mode = mode == InterpolationMode::Nearest        ? "nearest"
                 : mode == InterpolationMode::NearestExact ? "nearest-exact"
                 : mode == InterpolationMode::Bilinear     ? "bilinear"
                                                           : "bicubic";
  if (!nearest) options.align_corners = false;
  const Tensor x = image.to(kFloat32).unsqueeze(0);
  const Tensor y = gradus::interpolate(x, options).squeeze(0);
  if (image.dtype() != kUInt8) return y;
  return (nearest ? y : gradus::round(y).clamp(0, 255)).to(kUInt8);
}

}  // namespace

Tensor resize(const Tensor& image, std::int64_t height, std::int64_t width, InterpolationMode interpolation,
              bool antialias) {
  check_image("resize", image);
  constexpr std::int64_t kLongest = 1 << 24;
  if (height < 1 || width < 1 || height > kLongest || width > kLongest) {
    throw ValueError(
        fmt::format("resize: need a height and a width from 1 to {}, got {} and {}", kLongest, height, width));
  }
  if (image.dtype() != kUInt8 && image.dtype() != kFloat32) {
    throw DtypeError(fmt::format("resize: need uint8 or float32, got {}", to_string(image.dtype())));
  }
  if (height == image.size(1) && width == image.size(2)) return image;
  const bool bicubic = interpolation == InterpolationMode::Bicubic;
  if (!antialias || !(bicubic || interpolation == InterpolationMode::Bilinear)) {
    return interpolated(image, height, width, interpolation);
  }
  return image.dtype() == kUInt8 ? resize_bytes(image, height, width, bicubic)
                                 : resize_floats(image, height, width, bicubic);
}

}  // namespace gradus::data::functional
