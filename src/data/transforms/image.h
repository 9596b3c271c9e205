// Looks at image tensors, for what works on their bytes.
#pragma once

#include <gradus/tensor.h>

namespace gradus::data {

// ShapeError unless it is [channels, height, width] with pixels.
void check_image(const char* call, const Tensor& image);
// The same, and ValueError unless it is on the CPU: for what reads its memory.
void check_cpu_image(const char* call, const Tensor& image);

// A uint8 image as rows of pixels: its own memory if it lies so (crops of what the decoders give do), else a copy.
struct Interleaved {
  Tensor owner;
  const std::uint8_t* data;
  std::int64_t channels, height, width, stride;  // of rows, in bytes
};
Interleaved interleaved(const Tensor& image);

// A new uint8 image [channels, height, width] that lies pixel by pixel.
Tensor empty_interleaved(std::int64_t channels, std::int64_t height, std::int64_t width);

}  // namespace gradus::data
