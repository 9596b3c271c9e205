// Writing PNG images: 8 bits, gray or RGB. For reading see gradus/io/image.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gradus::io {

// Borrowed pixels in rows from the top, [height, width, channels], channels 1 (gray) or 3 (red, green, blue).
struct ImageView {
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;
  const uint8_t* data = nullptr;

  int64_t bytes() const;  // -1 where a size is not positive, or for more than 2^30
};

struct Image {
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;
  std::vector<uint8_t> data;
  ImageView view() const { return {width, height, channels, data.data()}; }
};

// The bytes of a file. ValueError for impossible sizes (at most 2^30 bytes of pixels).
std::string encode_png(const ImageView& image);
// Writes them whole (AtomicFile). IoError.
void write_png(const std::string& path, const ImageView& image);

// Lays `count` gray images, [count, height, width], out in rows of `columns`, with `padding` pixels of `background`
// between them and around them. The last row may be incomplete. ValueError for impossible sizes.
Image image_grid(const uint8_t* images, int64_t count, int64_t height, int64_t width, int64_t columns,
                 int64_t padding = 2, uint8_t background = 255);

}  // namespace gradus::io
