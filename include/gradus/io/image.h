// Images as uint8 tensors [channels, height, width]: JPEG through libjpeg-turbo, PNG through libpng.
// Names are those of torchvision.io.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <gradus/tensor.h>

namespace gradus::io {

enum class ImageReadMode : std::uint8_t { Unchanged, Gray, RGB };

struct ReadImageOptions {
  // Unchanged keeps what the file has: 1 channel, or 3; with alpha, 2 or 4. Gray and RGB convert and leave alpha out,
  // as Pillow does: gray = (19595 R + 38470 G + 7471 B + 32768) >> 16 for PNG, the luminance that the file holds for
  // JPEG.
  ImageReadMode mode = ImageReadMode::Unchanged;

  // JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, which takes less time: the smallest of them whose sides are
  // both at least this long. libjpeg then averages within blocks, as Pillow's Image.draft; resized to the same size,
  // pictures differ slightly from ones decoded in full. 0: always in full.
  std::int64_t min_size = 0;

  // Turns and mirrors the picture as its EXIF data say (of JPEG files, and the eXIf chunk of PNG files), so that it
  // stands as cameras and phones show it. What cannot be understood there changes nothing.
  bool apply_exif_orientation = false;

  // More pixels than these are refused, so that a small file cannot claim a large memory.
  std::int64_t max_pixels = 178'956'970;  // where Pillow refuses too
};

// The format is told by the content. IoError naming the file for anything damaged: a JPEG whose data ends early or
// whose codes are wrong is an error, where libjpeg would make up the rest. 16-bit PNG files lose their low bytes,
// palettes become colours, interlaced files are read.
// The result lies in memory pixel by pixel (channels last), as decoders give it; contiguous() rearranges it.
Tensor read_image(const std::string& path, const ReadImageOptions& options = {});

// The same from a file's bytes; `name` stands for the path in errors.
Tensor decode_image(std::string_view bytes, const ReadImageOptions& options = {}, const std::string& name = "image");

// Images of 1 or 3 channels. The file appears whole or not at all. ShapeError and DtypeError for other tensors.
void write_png(const std::string& path, const Tensor& image);
void write_jpeg(const std::string& path, const Tensor& image, int quality = 75);  // 1 to 100 (ValueError)

}  // namespace gradus::io
