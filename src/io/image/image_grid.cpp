#include <fmt/format.h>

#include <algorithm>

#include "gradus/core/error.h"
#include "io/image/png.h"

namespace gradus::io {

namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 30;

}  // namespace

int64_t ImageView::bytes() const {
  int64_t bytes = 0;
  if (width < 1 || height < 1 || channels < 1) return -1;
  if (__builtin_mul_overflow(width, height, &bytes) || __builtin_mul_overflow(bytes, channels, &bytes)) return -1;
  return bytes <= kMaxBytes ? bytes : -1;
}

Image image_grid(const uint8_t* images, int64_t count, int64_t height, int64_t width, int64_t columns, int64_t padding,
                 uint8_t background) {
  const bool bounded = count <= kMaxBytes && height <= kMaxBytes && width <= kMaxBytes && columns <= kMaxBytes;
  Image grid;
  if (images != nullptr && bounded && count > 0 && columns > 0 && padding >= 0 && padding <= kMaxBytes && height > 0 &&
      width > 0) {
    const int64_t across = std::min(columns, count);
    const int64_t down = (count + columns - 1) / columns;
    grid = {across * (width + padding) + padding, down * (height + padding) + padding, 1, {}};
  }
  const int64_t bytes = grid.view().bytes();
  if (bytes < 0) {
    throw ValueError(
        fmt::format("image_grid: need images, positive sizes and at most 2^30 pixels, got [{}, {}, {}], {} columns, "
                    "padding {}",
                    count, height, width, columns, padding));
  }
  grid.data.assign(static_cast<std::size_t>(bytes), background);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t top = padding + (i / columns) * (height + padding);
    const int64_t left = padding + (i % columns) * (width + padding);
    for (int64_t row = 0; row < height; ++row) {
      std::copy_n(images + (i * height + row) * width, width, grid.data.data() + (top + row) * grid.width + left);
    }
  }
  return grid;
}

}  // namespace gradus::io
