#include "gradus/io/image.h"

#include <fmt/format.h>

#include <algorithm>

#include "gradus/core/error.h"
#include "gradus/ops.h"
#include "io/file/atomic_file.h"
#include "io/image/codecs.h"
#include "io/image/exif.h"
#include "io/image/png.h"

namespace gradus::io {

namespace {

// The pixels of an image that is to be written, [height, width, channels].
Tensor to_rows(const char* call, const std::string& path, const Tensor& image) {
  if (image.dtype() != kUInt8) {
    throw DtypeError(fmt::format("{}: need uint8, got {} for {}", call, to_string(image.dtype()), path));
  }
  if (image.dim() != 3 || (image.size(0) != 1 && image.size(0) != 3) || image.numel() == 0) {
    throw ShapeError(
        fmt::format("{}: need [1 or 3, height, width], got {} for {}", call, to_string(image.sizes()), path));
  }
  return image.detach().permute({1, 2, 0}).contiguous().cpu();
}

// Rows of pixels [height, width, channels] as an EXIF orientation from 1 to 8 wants them shown.
Tensor oriented(const Tensor& rows, int orientation) {
  if (orientation == 1) return rows;
  Tensor x = orientation >= 5 ? rows.transpose(0, 1) : rows;
  if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8) x = flip(x, {0});
  if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) x = flip(x, {1});
  return x.contiguous();
}

}  // namespace

void check_claim(const char* call, const std::string& name, std::uint64_t height, std::uint64_t width,
                 std::size_t bytes, std::uint64_t most_pixels_per_byte, const ReadImageOptions& options) {
  std::uint64_t pixels = 0;
  const bool overflows = __builtin_mul_overflow(height, width, &pixels);
  if (pixels == 0 && !overflows) throw IoError(fmt::format("{}: {} has no pixels", call, name));
  if (overflows || pixels / most_pixels_per_byte > bytes) {
    throw IoError(fmt::format("{}: {} claims {} x {} pixels in {} bytes", call, name, height, width, bytes));
  }
  if (pixels > static_cast<std::uint64_t>(std::max<std::int64_t>(options.max_pixels, 0))) {
    throw IoError(fmt::format("{}: {} has {} x {} pixels, more than max_pixels = {}", call, name, height, width,
                              options.max_pixels));
  }
}

Tensor decode_image(std::string_view bytes, const ReadImageOptions& options, const std::string& name) {
  if (is_jpeg(bytes) || is_png(bytes)) {
    Tensor rows = is_jpeg(bytes) ? decode_jpeg(bytes, options, name) : decode_png(bytes, options, name);
    if (options.apply_exif_orientation) rows = oriented(rows, exif_orientation(bytes));
    return rows.permute({2, 0, 1}).detach();
  }
  if (bytes.empty()) throw IoError(fmt::format("decode_image: {} is empty", name));
  throw IoError(fmt::format("decode_image: {} is neither a JPEG nor a PNG file", name));
}

Tensor read_image(const std::string& path, const ReadImageOptions& options) {
  return decode_image(read_file(path), options, path);
}

void write_png(const std::string& path, const Tensor& image) {
  const Tensor rows = to_rows("write_png", path, image);
  write_png(path, ImageView{rows.size(1), rows.size(0), rows.size(2), rows.const_data_ptr<std::uint8_t>()});
}

void write_jpeg(const std::string& path, const Tensor& image, int quality) {
  if (quality < 1 || quality > 100) {
    throw ValueError(fmt::format("write_jpeg: need a quality from 1 to 100, got {}", quality));
  }
  const Tensor rows = to_rows("write_jpeg", path, image);
  constexpr std::int64_t kLongest = 65500;
  if (rows.size(0) > kLongest || rows.size(1) > kLongest) {
    throw ShapeError(
        fmt::format("write_jpeg: need sides up to {}, got {} for {}", kLongest, to_string(image.sizes()), path));
  }
  write_file(path, encode_jpeg(rows.const_data_ptr<std::uint8_t>(), rows.size(0), rows.size(1), rows.size(2), quality));
}

}  // namespace gradus::io
