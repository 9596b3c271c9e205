// Transforms that change where pixels are.
#include <algorithm>
#include <cmath>

#include "data/loader/repr.h"
#include "data/transforms/image.h"
#include "data/transforms/resize.h"
#include "gradus/core/error.h"
#include "gradus/data/random.h"
#include "kernels/math.h"

namespace gradus::data::transforms {

namespace {

std::int64_t rounded(double x) { return static_cast<std::int64_t>(std::nearbyint(x)); }

void check_size(const char* transform, const Size& size) {
  if (size.height < 1 || size.width.value_or(1) < 1) {
    throw ValueError(fmt::format("{}: need a positive size, got {}", transform, repr(size)));
  }
}

functional::Padding padding_of(const char* transform, const std::vector<std::int64_t>& p) {
  functional::Padding padding{};
  if (p.size() == 1) padding = {p[0], p[0], p[0], p[0]};
  if (p.size() == 2) padding = {p[0], p[1], p[0], p[1]};
  if (p.size() == 4) padding = {p[0], p[1], p[2], p[3]};
  const bool valid = (p.size() == 1 || p.size() == 2 || p.size() == 4) &&
                     std::all_of(p.begin(), p.end(), [](std::int64_t x) { return x >= 0; });
  if (!valid) {
    throw ValueError(
        fmt::format("{}: need a padding of 1, 2 or 4 numbers from 0 on, got [{}]", transform, fmt::join(p, ", ")));
  }
  return padding;
}

void check_range(const char* transform, const char* what, const Range& range, double low, double high) {
  if (!(range.low >= low && range.low <= range.high && range.high <= high)) {
    throw ValueError(fmt::format("{}: need a {} within {} and {}, smaller number first, got {}", transform, what, low,
                                 high, repr(range)));
  }
}

double log_uniform(const Range& range) {
  return math::exp(random_uniform(math::log(range.low), math::log(range.high)));
}

constexpr double kLargestRatio = 1e4;

}  // namespace

Resize::Resize(Size size, ResizeOptions options) : size_(size), options_(options) {
  check_size("Resize", size);
  if (options.max_size && (size.width || *options.max_size < size.height)) {
    throw ValueError(
        fmt::format("Resize: max_size goes with one number that is not larger, got size {} and max_size {}", repr(size),
                    *options.max_size));
  }
}

std::pair<std::int64_t, std::int64_t> Resize::target(const Tensor& image) const {
  check_image("Resize", image);
  std::int64_t height = size_.height, width = size_.width.value_or(0);
  if (!size_.width) {
    const std::int64_t h = image.size(1), w = image.size(2);
    std::int64_t shorter = size_.height;
    // torchvision's int(size * long / short), in floating point there too.
    auto longer = static_cast<std::int64_t>(static_cast<double>(shorter) * static_cast<double>(std::max(h, w)) /
                                            static_cast<double>(std::min(h, w)));
    if (options_.max_size && longer > *options_.max_size) {
      shorter = static_cast<std::int64_t>(static_cast<double>(*options_.max_size) * static_cast<double>(shorter) /
                                          static_cast<double>(longer));
      longer = *options_.max_size;
    }
    height = h <= w ? shorter : longer;
    width = h <= w ? longer : shorter;
  }
  return {height, width};
}

Tensor Resize::apply(const Tensor& image) const {
  const auto [height, width] = target(image);
  return functional::resize(image, height, width, options_.interpolation, options_.antialias);
}

Tensor Resize::apply(const Tensor& image, const CenterCrop& crop) const {
  const auto [height, width] = target(image);
  return functional::resize_and_center_crop(image, height, width, crop.size_.height,
                                            crop.size_.width.value_or(crop.size_.height), options_.interpolation,
                                            options_.antialias);
}

std::string Resize::to_string() const {
  std::string text = fmt::format("Resize(size={}, interpolation={}, ", repr(size_), repr(options_.interpolation));
  if (options_.max_size) text += fmt::format("max_size={}, ", *options_.max_size);
  return text + fmt::format("antialias={})", repr(options_.antialias));
}

CenterCrop::CenterCrop(Size size) : size_(size) { check_size("CenterCrop", size); }

Tensor CenterCrop::apply(const Tensor& image) const {
  return functional::center_crop(image, size_.height, size_.width.value_or(size_.height));
}

std::string CenterCrop::to_string() const { return fmt::format("CenterCrop(size={})", repr(size_)); }

RandomCrop::RandomCrop(Size size, RandomCropOptions options) : size_(size), options_(std::move(options)) {
  check_size("RandomCrop", size);
  if (!options_.padding.empty()) padding_of("RandomCrop", options_.padding);
}

Tensor RandomCrop::apply(const Tensor& image) const {
  check_image("RandomCrop", image);
  const std::int64_t height = size_.height, width = size_.width.value_or(height);
  Tensor x = image;
  if (!options_.padding.empty()) {
    x = functional::pad(x, padding_of("RandomCrop", options_.padding), options_.fill, options_.padding_mode);
  }
  const std::int64_t below = height - x.size(1), beside = width - x.size(2);
  if (options_.pad_if_needed && (below > 0 || beside > 0)) {
    const std::int64_t v = std::max<std::int64_t>(below, 0), h = std::max<std::int64_t>(beside, 0);
    x = functional::pad(x, {h, v, h, v}, options_.fill, options_.padding_mode);
  }
  if (x.size(1) < height || x.size(2) < width) {
    throw ShapeError(fmt::format("RandomCrop: need an image of at least {} x {} after padding, got {}", height, width,
                                 gradus::to_string(x.sizes())));
  }
  const std::int64_t top = random_integer(0, x.size(1) - height + 1);
  const std::int64_t left = random_integer(0, x.size(2) - width + 1);
  return functional::crop(x, top, left, height, width);
}

std::string RandomCrop::to_string() const {
  return fmt::format("RandomCrop(size={}, padding=[{}], pad_if_needed={}, fill={}, padding_mode={})", repr(size_),
                     fmt::join(options_.padding, ", "), repr(options_.pad_if_needed), repr(options_.fill),
                     options_.padding_mode);
}

RandomResizedCrop::RandomResizedCrop(Size size, RandomResizedCropOptions options) : size_(size), options_(options) {
  check_size("RandomResizedCrop", size);
  check_range("RandomResizedCrop", "scale", options.scale, 1e-9, kLargestRatio);
  check_range("RandomResizedCrop", "ratio", options.ratio, 1 / kLargestRatio, kLargestRatio);
}

Tensor RandomResizedCrop::apply(const Tensor& image) const {
  check_image("RandomResizedCrop", image);
  const std::int64_t height = image.size(1), width = image.size(2);
  const auto area = static_cast<double>(height * width);
  std::int64_t h = 0, w = 0, top = 0, left = 0;
  bool found = false;
  for (int i = 0; i < 10 && !found; ++i) {
    const double target = area * random_uniform(options_.scale.low, options_.scale.high);
    const double ratio = log_uniform(options_.ratio);
    w = rounded(std::sqrt(target * ratio));
    h = rounded(std::sqrt(target / ratio));
    found = w > 0 && w <= width && h > 0 && h <= height;
  }
  if (found) {
    top = random_integer(0, height - h + 1);
    left = random_integer(0, width - w + 1);
  } else {  // the largest part in the middle whose ratio is allowed
    const double ratio = static_cast<double>(width) / static_cast<double>(height);
    w = ratio > options_.ratio.high ? rounded(static_cast<double>(height) * options_.ratio.high) : width;
    h = ratio < options_.ratio.low ? rounded(static_cast<double>(width) / options_.ratio.low) : height;
    w = std::clamp<std::int64_t>(w, 1, width);
    h = std::clamp<std::int64_t>(h, 1, height);
    top = (height - h) / 2;
    left = (width - w) / 2;
  }
  return functional::resize(functional::crop(image, top, left, h, w), size_.height, size_.width.value_or(size_.height),
                            options_.interpolation, options_.antialias);
}

std::string RandomResizedCrop::to_string() const {
  return fmt::format("RandomResizedCrop(size={}, scale={}, ratio={}, interpolation={}, antialias={})", repr(size_),
                     repr(options_.scale), repr(options_.ratio), repr(options_.interpolation),
                     repr(options_.antialias));
}

Pad::Pad(std::vector<std::int64_t> padding, PadOptions options)
    : padding_(std::move(padding)), options_(std::move(options)) {
  padding_of("Pad", padding_);
}

Tensor Pad::apply(const Tensor& image) const {
  return functional::pad(image, padding_of("Pad", padding_), options_.fill, options_.padding_mode);
}

std::string Pad::to_string() const {
  return fmt::format("Pad(padding=[{}], fill={}, padding_mode={})", fmt::join(padding_, ", "), repr(options_.fill),
                     options_.padding_mode);
}

RandomErasing::RandomErasing(RandomErasingOptions options) : options_(std::move(options)) {
  check_range("RandomErasing", "probability", {options_.p, options_.p}, 0, 1);
  check_range("RandomErasing", "scale", options_.scale, 0, 1);
  check_range("RandomErasing", "ratio", options_.ratio, 1 / kLargestRatio, kLargestRatio);
}

Tensor RandomErasing::apply(const Tensor& image) const {
  check_image("RandomErasing", image);
  const std::int64_t channels = image.size(0), height = image.size(1), width = image.size(2);
  if (options_.value.size() > 1 && std::ssize(options_.value) != channels) {
    throw ShapeError(fmt::format("RandomErasing: need one value or one for each of {} channels, got {}", channels,
                                 options_.value.size()));
  }
  if (!(random_uniform() < options_.p)) return image;
  for (int i = 0; i < 10; ++i) {
    const double area = static_cast<double>(height * width) * random_uniform(options_.scale.low, options_.scale.high);
    const double ratio = log_uniform(options_.ratio);
    const std::int64_t h = rounded(std::sqrt(area * ratio)), w = rounded(std::sqrt(area / ratio));
    if (h >= height || w >= width) continue;
    if (h < 1 || w < 1) return image;
    const Tensor value = options_.value.empty() ? randn({channels, h, w}, {}, &sample_generator())
                                                : tensor(options_.value, {std::ssize(options_.value), 1, 1});
    const std::int64_t top = random_integer(0, height - h + 1), left = random_integer(0, width - w + 1);
    return functional::erase(image, top, left, h, w, value);
  }
  return image;
}

std::string RandomErasing::to_string() const {
  return fmt::format("RandomErasing(p={}, scale={}, ratio={}, value={})", repr(options_.p), repr(options_.scale),
                     repr(options_.ratio), options_.value.empty() ? "random" : repr(options_.value));
}

}  // namespace gradus::data::transforms
