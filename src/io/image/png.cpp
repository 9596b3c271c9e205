#include "io/image/png.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>

#include "gradus/error.h"
#include "io/file/atomic_file.h"

namespace gradus::io {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 30;

// width * height * channels, or -1 where a size is not positive or the product exceeds kMaxBytes.
int64_t pixel_bytes(int64_t width, int64_t height, int64_t channels) {
  int64_t bytes = 0;
  if (width < 1 || height < 1 || channels < 1) return -1;
  if (__builtin_mul_overflow(width, height, &bytes) || __builtin_mul_overflow(bytes, channels, &bytes)) return -1;
  return bytes <= kMaxBytes ? bytes : -1;
}

// libpng's simplified interface: it returns errors, where the older one jumps out of C++ frames.
struct PngImage {
  png_image value{};
  PngImage() { value.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&value); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
};

}  // namespace

std::string encode_png(const ImageView& image) {
  const bool known_channels = image.channels == 1 || image.channels == 3;
  if (image.data == nullptr || !known_channels || pixel_bytes(image.width, image.height, image.channels) < 0) {
    throw ValueError(fmt::format("encode_png: need pixels of 1 or 3 channels, 1 to 2^30 bytes, got [{}, {}, {}]",
                                 image.height, image.width, image.channels));
  }
  PngImage png;
  png.value.width = static_cast<png_uint_32>(image.width);
  png.value.height = static_cast<png_uint_32>(image.height);
  png.value.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png.value);
  std::string encoded(size, '\0');
  if (png_image_write_to_memory(&png.value, encoded.data(), &size, 0, image.data, 0, nullptr) == 0) {
    throw IoError(fmt::format("encode_png: cannot encode: {}", png.value.message));
  }
  encoded.resize(size);
  return encoded;
}

void write_png(const std::string& path, const ImageView& image) { write_file(path, encode_png(image)); }

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
  const int64_t bytes = pixel_bytes(grid.width, grid.height, grid.channels);
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
