// Parts of images, borders, and mirror images.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/transforms/image.h"
#include "data/transforms/resize.h"
#include "gradus/core/error.h"
#include "gradus/data/functional.h"
#include "gradus/ops.h"
#include "kernels/cpu/pool/image.h"

namespace gradus::data::functional {

namespace {

// Where each position of a padded side of length n comes from; -1: from outside.
std::vector<std::int64_t> sources(std::int64_t n, std::int64_t before, std::int64_t after, std::string_view mode) {
  std::vector<std::int64_t> at;
  for (std::int64_t i = -before; i < n + after; ++i) {
    std::int64_t j = i;
    if (i < 0 || i >= n) {
      if (mode == "edge") j = std::clamp<std::int64_t>(i, 0, n - 1);
      if (mode == "reflect") j = i < 0 ? -i : 2 * (n - 1) - i;
      if (mode == "symmetric") j = i < 0 ? -i - 1 : 2 * n - 1 - i;
    }
    at.push_back(j);
  }
  return at;
}

}  // namespace

Tensor crop(const Tensor& image, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width) {
  check_image("crop", image);
  if (height < 1 || width < 1) {
    throw ValueError(fmt::format("crop: need a positive height and width, got {} and {}", height, width));
  }
  const std::int64_t h = image.size(1), w = image.size(2);
  constexpr std::int64_t kFar = std::int64_t{1} << 31;
  if (std::abs(top) > kFar || std::abs(left) > kFar || height > kFar || width > kFar) {
    throw ValueError(fmt::format("crop: need numbers up to 2^31, got {}, {}, {}, {}", top, left, height, width));
  }
  const std::int64_t y0 = std::clamp<std::int64_t>(top, 0, h), y1 = std::clamp<std::int64_t>(top + height, 0, h);
  const std::int64_t x0 = std::clamp<std::int64_t>(left, 0, w), x1 = std::clamp<std::int64_t>(left + width, 0, w);
  if (y1 - y0 == height && x1 - x0 == width) return image.narrow(1, y0, height).narrow(2, x0, width);
  Tensor result = zeros({image.size(0), height, width}, {.dtype = image.dtype()});
  if (y0 < y1 && x0 < x1) {
    result.narrow(1, y0 - top, y1 - y0)
        .narrow(2, x0 - left, x1 - x0)
        .copy_(image.narrow(1, y0, y1 - y0).narrow(2, x0, x1 - x0));
  }
  return result;
}

// torchvision rounds halves to even where it cuts, and puts the odd pixel of a border after the image.
std::int64_t center_offset(std::int64_t have, std::int64_t want) {
  return have < want ? -((want - have) / 2)
                     : static_cast<std::int64_t>(std::nearbyint(static_cast<double>(have - want) / 2));
}

Tensor center_crop(const Tensor& image, std::int64_t height, std::int64_t width) {
  check_image("center_crop", image);
  return crop(image, center_offset(image.size(1), height), center_offset(image.size(2), width), height, width);
}

Tensor pad(const Tensor& image, const Padding& padding, const std::vector<double>& fill, std::string_view mode) {
  check_image("pad", image);
  const std::int64_t channels = image.size(0), h = image.size(1), w = image.size(2);
  const auto [left, top, right, bottom] = padding;
  constexpr std::int64_t kMost = 1 << 24;
  for (const std::int64_t side : {left, top, right, bottom}) {
    if (side < 0 || side > kMost) throw ValueError(fmt::format("pad: need sides from 0 to {}, got {}", kMost, side));
  }
  if (mode == "constant") {
    if (fill.size() != 1 && std::ssize(fill) != channels) {
      throw ValueError(fmt::format("pad: need one fill or one for each of {} channels, got {}", channels, fill.size()));
    }
    Tensor result = full({channels, h + top + bottom, w + left + right}, fill[0], {.dtype = image.dtype()});
    for (std::size_t c = 1; c < fill.size(); ++c) result.select(0, static_cast<std::int64_t>(c)).fill_(fill[c]);
    result.narrow(1, top, h).narrow(2, left, w).copy_(image);
    return result;
  }
  if (mode != "edge" && mode != "reflect" && mode != "symmetric") {
    throw ValueError(fmt::format("pad: need mode constant, edge, reflect or symmetric, got \"{}\"", mode));
  }
  const std::int64_t less = mode == "reflect" ? 1 : 0;
  if (mode != "edge" && (std::max(left, right) > w - less || std::max(top, bottom) > h - less)) {
    throw ValueError(fmt::format("pad: mode {} takes sides up to {} and {} here, got {}, {}, {}, {}", mode, w - less,
                                 h - less, left, top, right, bottom));
  }
  return image.index_select(1, tensor(sources(h, top, bottom, mode)))
      .index_select(2, tensor(sources(w, left, right, mode)));
}

Tensor horizontal_flip(const Tensor& image) {
  check_cpu_image("horizontal_flip", image);
  if (image.dtype() != kUInt8) return flip(image, 2);
  const Interleaved from = interleaved(image);
  Tensor result = empty_interleaved(from.channels, from.height, from.width);
  auto* to = result.data_ptr<std::uint8_t>();
  for (std::int64_t y = 0; y < from.height; ++y) {
    cpu::reverse_pixels(from.data + y * from.stride, from.width, from.channels, to + y * from.width * from.channels);
  }
  return result;
}

Tensor vertical_flip(const Tensor& image) {
  check_image("vertical_flip", image);
  return flip(image, 1);
}

Tensor erase(const Tensor& image, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width,
             const Tensor& value) {
  check_image("erase", image);
  Tensor result = image.clone();
  result.narrow(1, top, height).narrow(2, left, width).copy_(value);
  return result;
}

}  // namespace gradus::data::functional
