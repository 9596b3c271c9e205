// Colours: as torchvision's kernels for tensors, step by step in float32.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/transforms/image.h"
#include "gradus/core/error.h"
#include "gradus/data/functional.h"
#include "gradus/ops.h"
#include "kernels/cpu/pool/image.h"

namespace gradus::data::functional {

namespace {

void check_colors(const char* call, const Tensor& image) {
  check_cpu_image(call, image);
  if (image.dtype() != kUInt8 && image.dtype() != kFloat32) {
    throw DtypeError(fmt::format("{}: need uint8 or float32, got {}", call, to_string(image.dtype())));
  }
  if (image.size(0) != 1 && image.size(0) != 3) {
    throw ShapeError(fmt::format("{}: need an image of 1 or 3 channels, got {}", call, to_string(image.sizes())));
  }
}

void check_factor(const char* call, double factor, double low, double high) {
  if (!(factor >= low && factor <= high)) {
    throw ValueError(fmt::format("{}: need a factor from {} to {}, got {}", call, low, high, factor));
  }
}

float bound_of(Dtype dtype) { return dtype == kUInt8 ? 255.0f : 1.0f; }

struct Rgb {
  float r, g, b;
};

float gray_of(const Rgb& x) { return 0.2989f * x.r + 0.587f * x.g + 0.114f * x.b; }

// uint8 is truncated, as conversions from floating point are.
float kept(float x, bool bytes) { return bytes ? std::floor(x) : x; }

// Calls each(Rgb) for the pixels in order; an image of one channel has three equal ones.
template <class T, class F>
void for_each_pixel(const Tensor& image, const F& each) {
  const T* p = image.data_ptr<T>();
  const std::int64_t next = image.size(0) == 3 ? image.stride(0) : 0;
  for (std::int64_t y = 0; y < image.size(1); ++y) {
    for (std::int64_t x = 0; x < image.size(2); ++x) {
      const T* at = p + y * image.stride(1) + x * image.stride(2);
      each(Rgb{static_cast<float>(at[0]), static_cast<float>(at[next]), static_cast<float>(at[2 * next])});
    }
  }
}

template <class F>
void for_each_pixel(const Tensor& image, const F& each) {
  if (image.dtype() == kUInt8) {
    for_each_pixel<std::uint8_t>(image, each);
  } else {
    for_each_pixel<float>(image, each);
  }
}

// A new image of change(Rgb) for each pixel, cut off to the range of the type.
template <class F>
Tensor changed(const Tensor& image, const F& change) {
  const std::int64_t channels = image.size(0);
  const float bound = bound_of(image.dtype());
  const auto cut = [&](float x) { return std::clamp(x, 0.0f, bound); };
  const auto run = [&]<class T>(const Tensor& result, T* to) {
    for_each_pixel(image, [&](const Rgb& x) {
      const Rgb y = change(x);
      *to++ = static_cast<T>(cut(y.r));
      if (channels == 1) return;
      *to++ = static_cast<T>(cut(y.g));
      *to++ = static_cast<T>(cut(y.b));
    });
    return result.permute({2, 0, 1});
  };
  const Tensor result = empty({image.size(1), image.size(2), channels}, {.dtype = image.dtype()});
  return image.dtype() == kUInt8 ? run(result, result.data_ptr<std::uint8_t>()) : run(result, result.data_ptr<float>());
}

Rgb blend(const Rgb& x, float other, float ratio, float rest) {
  return {x.r * ratio + other * rest, x.g * ratio + other * rest, x.b * ratio + other * rest};
}

// Pillow's conversion and back, with the hue moved on.
Rgb turned(const Rgb& x, float turns) {
  const float most = std::max({x.r, x.g, x.b}), least = std::min({x.r, x.g, x.b}), range = most - least;
  if (range == 0) return x;
  const float s = range / most;
  const float rc = (most - x.r) / range, gc = (most - x.g) / range, bc = (most - x.b) / range;
  const float sixths = most == x.r ? bc - gc : most == x.g ? rc + 2 - bc : gc + 4 - rc;
  float h = std::fmod(sixths * (1.0f / 6) + 1, 1.0f) + turns;
  h -= std::floor(h);
  const float h6 = h * 6, i = std::floor(h6), f = h6 - i;
  const auto cut = [](float v) { return std::clamp(v, 0.0f, 1.0f); };
  const float p = cut((1 - s) * most), q = cut((1 - s * f) * most), t = cut((s * f + (1 - s)) * most);
  switch (static_cast<int>(i) % 6) {
    case 0:
      return {most, t, p};
    case 1:
      return {q, most, p};
    case 2:
      return {p, most, t};
    case 3:
      return {p, q, most};
    case 4:
      return {t, p, most};
    default:
      return {most, p, q};
  }
}

constexpr double kMost = 1e6;

}  // namespace

Tensor rgb_to_grayscale(const Tensor& image, std::int64_t num_output_channels) {
  check_colors("rgb_to_grayscale", image);
  if (num_output_channels != 1 && num_output_channels != 3) {
    throw ValueError(fmt::format("rgb_to_grayscale: need 1 or 3 output channels, got {}", num_output_channels));
  }
  Tensor gray = image;
  if (image.size(0) == 3) {
    gray = changed(image, [](const Rgb& x) {
      const float y = gray_of(x);
      return Rgb{y, y, y};
    });
    if (num_output_channels == 1) gray = gray.narrow(0, 0, 1);
  }
  return gray.size(0) == num_output_channels ? gray : gray.expand({3, gray.size(1), gray.size(2)});
}

Tensor adjust_brightness(const Tensor& image, double brightness_factor) {
  check_colors("adjust_brightness", image);
  check_factor("adjust_brightness", brightness_factor, 0, kMost);
  const auto factor = static_cast<float>(brightness_factor);
  return changed(image, [=](const Rgb& x) { return blend(x, 0, factor, 0); });
}

Tensor adjust_contrast(const Tensor& image, double contrast_factor) {
  check_colors("adjust_contrast", image);
  check_factor("adjust_contrast", contrast_factor, 0, kMost);
  const bool bytes = image.dtype() == kUInt8, single = image.size(0) == 1;
  double sum = 0;
  for_each_pixel(image, [&](const Rgb& x) { sum += single ? x.r : kept(gray_of(x), bytes); });
  const auto mean = static_cast<float>(sum / static_cast<double>(image.size(1) * image.size(2)));
  const auto factor = static_cast<float>(contrast_factor), rest = static_cast<float>(1 - contrast_factor);
  return changed(image, [=](const Rgb& x) { return blend(x, mean, factor, rest); });
}

Tensor adjust_saturation(const Tensor& image, double saturation_factor) {
  check_colors("adjust_saturation", image);
  check_factor("adjust_saturation", saturation_factor, 0, kMost);
  if (image.size(0) == 1) return image;
  const bool bytes = image.dtype() == kUInt8;
  const auto factor = static_cast<float>(saturation_factor), rest = static_cast<float>(1 - saturation_factor);
  return changed(image, [=](const Rgb& x) { return blend(x, kept(gray_of(x), bytes), factor, rest); });
}

Tensor adjust_hue(const Tensor& image, double hue_factor) {
  check_colors("adjust_hue", image);
  check_factor("adjust_hue", hue_factor, -0.5, 0.5);
  if (image.size(0) == 1) return image;
  const auto turns = static_cast<float>(hue_factor);
  if (image.dtype() == kFloat32) return changed(image, [=](const Rgb& x) { return turned(x, turns); });
  return changed(image, [=](const Rgb& x) {
    const Rgb y = turned({x.r / 255, x.g / 255, x.b / 255}, turns);
    constexpr float kScale = 256 - 1e-3f;  // torchvision's, so that truncation spreads values evenly
    return Rgb{y.r * kScale, y.g * kScale, y.b * kScale};
  });
}

Tensor normalize(const Tensor& image, const std::vector<double>& mean, const std::vector<double>& std) {
  if (!image.is_floating_point()) {
    throw DtypeError(
        fmt::format("normalize: need floating-point numbers, got {}; convert with to_dtype(x, kFloat32, true)",
                    to_string(image.dtype())));
  }
  const auto per_channel = [&](const std::vector<double>& values, const char* what) {
    if (values.size() != 1 && ((image.dim() != 1 && image.dim() != 3) || std::ssize(values) != image.size(0))) {
      throw ShapeError(
          fmt::format("normalize: need one {0} for all, or one for each channel of an image [C, H, W] or "
                      "column of a row [C], got {1} for {2}",
                      what, values.size(), to_string(image.sizes())));
    }
    Shape sizes{static_cast<std::int64_t>(values.size())};
    for (int d = 1; d < image.dim(); ++d) sizes.push_back(1);
    return tensor(values, image.dim() == 0 ? Shape{} : sizes, {.dtype = image.dtype(), .device = image.device()});
  };
  Tensor result = image - per_channel(mean, "mean");
  result.div_(per_channel(std, "std"));
  return result;
}

Tensor to_dtype(const Tensor& image, Dtype dtype, bool scale) {
  const bool known = dtype == kUInt8 || dtype == kFloat32 || dtype == kFloat64;
  const bool from_known = image.dtype() == kUInt8 || image.dtype() == kFloat32 || image.dtype() == kFloat64;
  if (!known || (scale && !from_known)) {
    throw DtypeError(fmt::format("to_dtype: need uint8, float32 or float64, got {} to {}", to_string(image.dtype()),
                                 to_string(dtype)));
  }
  if (image.dtype() == dtype) return image.contiguous();
  if (dtype == kUInt8) {
    return (scale ? image * (256 - 1e-3) : image).clamp(0, 255.999).to(kUInt8).contiguous();
  }
  if (dtype == kFloat64) return image.to(kFloat64).contiguous() * (scale && image.dtype() == kUInt8 ? 1.0 / 255 : 1.0);
  if (image.dtype() != kUInt8) return image.to(kFloat32).contiguous();
  if (image.dim() != 3 || image.device() != kCPU) return image.to(kFloat32).contiguous() / (scale ? 255.0 : 1.0);
  const std::int64_t h = image.size(1), w = image.size(2);
  const Tensor result = empty({image.size(0), h, w});
  const auto* from = image.data_ptr<std::uint8_t>();
  auto* to = result.data_ptr<float>();
  for (std::int64_t c = 0; c < image.size(0); ++c) {
    for (std::int64_t y = 0; y < h; ++y, to += w) {
      cpu::channel_to_float(from + c * image.stride(0) + y * image.stride(1), image.stride(2), w, scale ? 255.0f : 1.0f,
                            to);
    }
  }
  return result;
}

}  // namespace gradus::data::functional
