#include "io/image/png.h"

#include <fmt/format.h>
#include <png.h>

#include "gradus/core/error.h"
#include "io/file/atomic_file.h"

namespace gradus::io {
namespace {

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
  if (image.data == nullptr || !known_channels || image.bytes() < 0) {
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

}  // namespace gradus::io
