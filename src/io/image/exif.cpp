// Exif 2.32: a TIFF file within a segment of a JPEG file, or a chunk of a PNG file.
#include "io/image/exif.h"

#include <cstddef>
#include <cstdint>

#include "io/image/codecs.h"

namespace gradus::io {

namespace {

// A number of `size` bytes at `at`; 0 beyond the end.
std::uint32_t number(std::string_view bytes, std::size_t at, std::size_t size, bool big_endian) {
  if (at > bytes.size() || size > bytes.size() - at) return 0;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[at + (big_endian ? i : size - 1 - i)]);
    value = value << 8 | byte;
  }
  return value;
}

int orientation_of(std::string_view tiff) {
  const bool big_endian = tiff.starts_with("MM");
  const auto read = [&](std::size_t at, std::size_t size) { return number(tiff, at, size, big_endian); };
  if ((!big_endian && !tiff.starts_with("II")) || read(2, 2) != 42) return 1;
  constexpr std::size_t kEntry = 12;
  constexpr std::uint32_t kOrientation = 0x0112, kShort = 3;
  const std::size_t directory = read(4, 4), count = read(directory, 2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t entry = directory + 2 + i * kEntry;
    if (entry + kEntry > tiff.size()) return 1;
    if (read(entry, 2) != kOrientation) continue;
    const std::uint32_t value = read(entry + 8, 2);
    const bool valid = read(entry + 2, 2) == kShort && read(entry + 4, 4) == 1 && value >= 1 && value <= 8;
    return valid ? static_cast<int>(value) : 1;
  }
  return 1;
}

// The TIFF part of a JPEG file's segment APP1; empty if there is none.
std::string_view exif_of_jpeg(std::string_view file) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  for (std::size_t at = 2; at + 4 <= file.size() && file[at] == '\xff';) {
    const std::uint32_t marker = number(file, at + 1, 1, true);
    if (marker == 0xff) {  // a byte that fills
      ++at;
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break;  // the pixels begin, or the file ends
    const std::size_t size = number(file, at + 2, 2, true);
    if (size < 2 || size > file.size() - at - 2) break;
    const std::string_view content = file.substr(at + 4, size - 2);
    if (marker == 0xe1 && content.starts_with(kExif)) return content.substr(kExif.size());
    at += 2 + size;
  }
  return {};
}

// The content of a PNG file's chunk eXIf; empty if there is none.
std::string_view exif_of_png(std::string_view file) {
  for (std::size_t at = 8; at + 12 <= file.size();) {
    const std::size_t size = number(file, at, 4, true);
    if (size > file.size() - at - 12) break;
    if (file.substr(at + 4, 4) == "eXIf") return file.substr(at + 8, size);
    at += 12 + size;
  }
  return {};
}

}  // namespace

int exif_orientation(std::string_view file) {
  return orientation_of(is_png(file) ? exif_of_png(file) : exif_of_jpeg(file));
}

}  // namespace gradus::io
