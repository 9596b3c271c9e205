// Transforms that change what pixels are.
#include <algorithm>
#include <array>
#include <cmath>

#include "data/loader/repr.h"
#include "gradus/core/error.h"
#include "gradus/data/random.h"

namespace gradus::data::transforms {

namespace {

std::optional<Range> range_of(const char* what, const Jitter& jitter, double center, double low, double high) {
  if (std::holds_alternative<std::monostate>(jitter)) return {};
  Range range{};
  if (const double* factor = std::get_if<double>(&jitter)) {
    range =
        *factor >= 0 ? Range{std::max(center - *factor, center == 0 ? low - 1 : 0.0), center + *factor} : Range{1, 0};
  } else {
    range = std::get<Range>(jitter);
  }
  if (!(range.low >= low && range.low <= range.high && range.high <= high)) {
    throw ValueError(
        fmt::format("ColorJitter: need a {} range within {} and {}, got {}", what, low, high, repr(range)));
  }
  return range;
}

std::string described(const char* name, const std::optional<Range>& range) {
  return range ? fmt::format("{}={}", name, repr(*range)) : std::string();
}

}  // namespace

ColorJitter::ColorJitter(ColorJitterOptions options)
    : brightness_(range_of("brightness", options.brightness, 1, 0, 1e6)),
      contrast_(range_of("contrast", options.contrast, 1, 0, 1e6)),
      saturation_(range_of("saturation", options.saturation, 1, 0, 1e6)),
      hue_(range_of("hue", options.hue, 0, -0.5, 0.5)) {}

Tensor ColorJitter::apply(const Tensor& image) const {
  using Change = Tensor (*)(const Tensor&, double);
  struct Step {
    Change change;
    double factor;
  };
  std::array<std::optional<Step>, 4> steps;
  const auto draw = [](const std::optional<Range>& range, Change change) -> std::optional<Step> {
    if (!range) return {};
    return Step{change, random_uniform(range->low, range->high)};
  };
  steps = {draw(brightness_, functional::adjust_brightness), draw(contrast_, functional::adjust_contrast),
           draw(saturation_, functional::adjust_saturation), draw(hue_, functional::adjust_hue)};
  for (std::int64_t i = 3; i > 0; --i) {
    std::swap(steps[static_cast<std::size_t>(i)], steps[static_cast<std::size_t>(random_integer(0, i + 1))]);
  }
  Tensor x = image;
  for (const std::optional<Step>& step : steps)
    if (step) x = step->change(x, step->factor);
  return x;
}

std::string ColorJitter::to_string() const {
  std::vector<std::string> parts;
  for (std::string part : {described("brightness", brightness_), described("contrast", contrast_),
                           described("saturation", saturation_), described("hue", hue_)}) {
    if (!part.empty()) parts.push_back(std::move(part));
  }
  return fmt::format("ColorJitter({})", fmt::join(parts, ", "));
}

Grayscale::Grayscale(std::int64_t num_output_channels) : channels_(num_output_channels) {
  if (channels_ != 1 && channels_ != 3) {
    throw ValueError(fmt::format("Grayscale: need 1 or 3 output channels, got {}", channels_));
  }
}

Tensor Grayscale::apply(const Tensor& image) const { return functional::rgb_to_grayscale(image, channels_); }

std::string Grayscale::to_string() const { return fmt::format("Grayscale(num_output_channels={})", channels_); }

Normalize::Normalize(std::vector<double> mean, std::vector<double> std) : mean_(std::move(mean)), std_(std::move(std)) {
  for (const double m : mean_) {
    if (!std::isfinite(m)) throw ValueError(fmt::format("Normalize: need finite means, got {}", m));
  }
  for (const double s : std_) {
    if (!std::isfinite(s) || s == 0)
      throw ValueError(fmt::format("Normalize: need finite stds that are not 0, got {}", s));
  }
  if (mean_.empty() || std_.empty()) throw ValueError("Normalize: need at least one mean and one std");
}

Tensor Normalize::apply(const Tensor& image) const { return functional::normalize(image, mean_, std_); }

std::string Normalize::to_string() const { return fmt::format("Normalize(mean={}, std={})", repr(mean_), repr(std_)); }

ToDtype::ToDtype(Dtype dtype, bool scale) : dtype_(dtype), scale_(scale) {
  if (dtype != kUInt8 && dtype != kFloat32 && dtype != kFloat64) {
    throw DtypeError(fmt::format("ToDtype: need uint8, float32 or float64, got {}", gradus::to_string(dtype)));
  }
}

Tensor ToDtype::apply(const Tensor& image) const { return functional::to_dtype(image, dtype_, scale_); }

std::string ToDtype::to_string() const {
  return fmt::format("ToDtype({}, scale={})", gradus::to_string(dtype_), repr(scale_));
}

Tensor ToTensor::apply(const Tensor& image) const { return functional::to_dtype(image, kFloat32, true); }

}  // namespace gradus::data::transforms
