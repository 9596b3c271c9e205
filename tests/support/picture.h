#pragma once

#include <gradus/io/image.h>

#include <string>

#include "io/image/png.h"

namespace gradus::test {

// An image file's pixels in rows from the top.
inline io::Image read_picture(const std::string& path) {
  const Tensor pixels = io::read_image(path).permute({1, 2, 0});
  return {pixels.size(1), pixels.size(0), pixels.size(2), pixels.to_vector<std::uint8_t>()};
}

}  // namespace gradus::test
