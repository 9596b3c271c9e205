// Resizing with antialiasing: PyTorch's upsample_bilinear2d_aa and upsample_bicubic2d_aa, which follow Pillow's
// (Turkowski, 1990): first along rows, then across them, each output a weighted sum over a window of inputs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/transforms/image.h"
#include "data/transforms/resize.h"
#include "gradus/core/error.h"
#include "gradus/data/functional.h"
#include "gradus/ops.h"
#include "gradus/ops/resampling.h"
#include "kernels/cpu/pool/image.h"

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

constexpr std::int64_t kLongest = 1 << 24;

// Which outputs along a side are wanted.
struct Part {
  std::int64_t first, count;
};

struct Windows {
  std::int64_t taps = 0;
  std::vector<std::int32_t> first;
  std::vector<double> weights;
  double largest = 0;
};

// Those of a part of the outputs. `largest` is of all, which decides how integers are rounded.
Windows windows_of(std::int64_t in, std::int64_t out, Part part, bool bicubic) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0), support = (bicubic ? 2 : 1) * stretch;
  Windows w;
  w.taps = std::min(in, 2 * static_cast<std::int64_t>(std::ceil(support)) + 1);
  w.weights.assign(static_cast<std::size_t>(part.count * w.taps), 0);
  std::vector<double> unwanted(static_cast<std::size_t>(w.taps));
  const bool all = out <= kLongest;
  for (std::int64_t i = all ? 0 : part.first; i < (all ? out : part.first + part.count); ++i) {
    const double center = scale * (static_cast<double>(i) + 0.5);
    const std::int64_t begin = std::max(std::int64_t{0}, static_cast<std::int64_t>(center - support + 0.5));
    const std::int64_t end = std::min({in, static_cast<std::int64_t>(center + support + 0.5), begin + w.taps});
    // At the far edge the window starts earlier, with weights of 0, so that all are equally long.
    const std::int64_t first = std::min(begin, in - w.taps);
    const bool wanted = i >= part.first && i < part.first + part.count;
    double* weights = (wanted ? w.weights.data() + (i - part.first) * w.taps : unwanted.data()) + (begin - first);
    double sum = 0;
    for (std::int64_t j = 0; j < end - begin; ++j) {
      const double x = (static_cast<double>(j + begin) - center + 0.5) / stretch;
      sum += weights[j] = bicubic ? cubic(x) : triangle(x);
    }
    for (std::int64_t j = 0; j < end - begin && sum != 0; ++j) {
      weights[j] /= sum;
      w.largest = std::max(w.largest, weights[j]);
    }
    if (wanted) w.first.push_back(static_cast<std::int32_t>(first));
  }
  return w;
}

struct IntegerWeights {
  std::vector<std::int32_t> weights;
  int precision = 0;
};

// With as many bits after the point as 16 hold.
IntegerWeights to_integers(const Windows& windows) {
  IntegerWeights result;
  while (result.precision < 22 && 0.5 + windows.largest * (1 << (result.precision + 1)) < (1 << 15)) ++result.precision;
  const double one = 1 << result.precision;
  for (const double w : windows.weights) {
    result.weights.push_back(static_cast<std::int32_t>(w < 0 ? w * one - 0.5 : w * one + 0.5));
  }
  return result;
}

// How long each side becomes, and which part of that is wanted.
struct Target {
  std::int64_t height, width;
  Part rows, columns;
};

// The rows of the image that the wanted rows of the result are made of. `windows` begin at the first of them then.
Tensor rows_needed(const Tensor& image, Windows& windows) {
  const auto [low, high] = std::minmax_element(windows.first.begin(), windows.first.end());
  const std::int32_t begin = *low;
  const std::int64_t count = *high + windows.taps - begin;
  for (std::int32_t& first : windows.first) first -= begin;
  return image.narrow(1, begin, count);
}

Tensor resize_bytes(Tensor x, const Target& to, bool bicubic) {
  const std::int64_t channels = x.size(0), height = x.size(1), width = x.size(2);
  Windows down;
  if (to.height == height) {
    x = x.narrow(1, to.rows.first, to.rows.count);
  } else {
    down = windows_of(height, to.height, to.rows, bicubic);
    x = rows_needed(x, down);
  }
  if (to.width == width) {
    x = x.narrow(2, to.columns.first, to.columns.count);
  } else {
    const Interleaved from = interleaved(x);
    const Windows across = windows_of(width, to.width, to.columns, bicubic);
    const IntegerWeights integers = to_integers(across);
    x = empty_interleaved(channels, from.height, to.columns.count);
    cpu::resize_rows(from.data, from.stride, from.height, width, to.columns.count, channels,
                     {across.taps, across.first.data(), integers.weights.data()}, integers.precision,
                     x.data_ptr<std::uint8_t>());
  }
  const Interleaved from = interleaved(x);
  if (to.height == height) return from.owner;
  const IntegerWeights integers = to_integers(down);
  Tensor result = empty_interleaved(channels, to.rows.count, to.columns.count);
  cpu::resize_columns(from.data, from.stride, to.rows.count, to.columns.count * channels,
                      {down.taps, down.first.data(), integers.weights.data()}, integers.precision,
                      result.data_ptr<std::uint8_t>());
  return result;
}

Tensor resize_floats(Tensor x, const Target& to, bool bicubic) {
  const std::int64_t channels = x.size(0), height = x.size(1), width = x.size(2);
  const std::int64_t rows = to.rows.count, columns = to.columns.count;
  const auto floats = [](const Windows& w) { return std::vector<float>(w.weights.begin(), w.weights.end()); };
  Windows down;
  if (to.height == height) {
    x = x.narrow(1, to.rows.first, rows);
  } else {
    down = windows_of(height, to.height, to.rows, bicubic);
    x = rows_needed(x, down);
  }
  if (to.width == width) {
    x = x.narrow(2, to.columns.first, columns).contiguous();
  } else {
    x = x.contiguous();
    const Windows across = windows_of(width, to.width, to.columns, bicubic);
    const std::vector<float> weights = floats(across);
    const Tensor y = empty({channels, x.size(1), columns});
    cpu::resize_rows(x.data_ptr<float>(), channels * x.size(1), width, columns,
                     {across.taps, across.first.data(), weights.data()}, y.data_ptr<float>());
    x = y;
  }
  if (to.height == height) return x;
  const std::vector<float> weights = floats(down);
  const Tensor y = empty({channels, rows, columns});
  for (std::int64_t c = 0; c < channels; ++c) {
    cpu::resize_columns(x.data_ptr<float>() + c * x.size(1) * columns, rows, columns,
                        {down.taps, down.first.data(), weights.data()}, y.data_ptr<float>() + c * rows * columns);
  }
  return y;
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

void check_target(const Tensor& image, std::int64_t height, std::int64_t width, std::int64_t longest) {
  check_cpu_image("resize", image);
  if (height < 1 || width < 1 || height > longest || width > longest) {
    throw ValueError(
        fmt::format("resize: need a height and a width from 1 to {}, got {} and {}", longest, height, width));
  }
  if (image.dtype() != kUInt8 && image.dtype() != kFloat32) {
    throw DtypeError(fmt::format("resize: need uint8 or float32, got {}", to_string(image.dtype())));
  }
}

bool has_windows(InterpolationMode interpolation, bool antialias) {
  return antialias && (interpolation == InterpolationMode::Bicubic || interpolation == InterpolationMode::Bilinear);
}

Tensor resize_part(const Tensor& image, const Target& to, InterpolationMode interpolation) {
  const bool bicubic = interpolation == InterpolationMode::Bicubic;
  return image.dtype() == kUInt8 ? resize_bytes(image, to, bicubic) : resize_floats(image, to, bicubic);
}

}  // namespace

Tensor resize(const Tensor& image, std::int64_t height, std::int64_t width, InterpolationMode interpolation,
              bool antialias) {
  check_target(image, height, width, kLongest);
  if (height == image.size(1) && width == image.size(2)) return image;
  if (!has_windows(interpolation, antialias)) return interpolated(image, height, width, interpolation);
  return resize_part(image, {height, width, {0, height}, {0, width}}, interpolation);
}

Tensor resize_and_center_crop(const Tensor& image, std::int64_t height, std::int64_t width, std::int64_t crop_height,
                              std::int64_t crop_width, InterpolationMode interpolation, bool antialias) {
  if (!has_windows(interpolation, antialias) || crop_height > height || crop_width > width)
    return center_crop(resize(image, height, width, interpolation, antialias), crop_height, crop_width);
  check_target(image, height, width, std::int64_t{1} << 40);
  const Part rows{center_offset(height, crop_height), crop_height};
  const Part columns{center_offset(width, crop_width), crop_width};
  return resize_part(image, {height, width, rows, columns}, interpolation);
}

}  // namespace gradus::data::functional
