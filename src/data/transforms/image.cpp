#include "data/transforms/image.h"

#include <fmt/format.h>

#include "core/tensor_access.h"
#include "gradus/core/error.h"
#include "gradus/ops.h"

namespace gradus::data {

void check_image(const char* call, const Tensor& image) {
  if (image.dim() != 3 || image.numel() == 0) {
    throw ShapeError(
        fmt::format("{}: need an image [channels, height, width], got {}", call, to_string(image.sizes())));
  }
}

void check_cpu_image(const char* call, const Tensor& image) {
  check_image(call, image);
  if (image.device() != kCPU) {
    throw ValueError(
        fmt::format("{}: images are transformed on the CPU, got one on {}", call, to_string(image.device())));
  }
}

Interleaved interleaved(const Tensor& image) {
  const std::int64_t channels = image.size(0);
  const bool lies_so = (channels == 1 || image.stride(0) == 1) && image.stride(2) == channels;
  const Tensor rows = lies_so ? image : image.permute({1, 2, 0}).contiguous().permute({2, 0, 1});
  return {rows, rows.data_ptr<std::uint8_t>(), channels, image.size(1), image.size(2), rows.stride(1)};
}

Tensor empty_interleaved(std::int64_t channels, std::int64_t height, std::int64_t width) {
  return gradus::detail::make_strided({channels, height, width}, {1, width * channels, channels}, kUInt8, kCPU);
}

}  // namespace gradus::data
