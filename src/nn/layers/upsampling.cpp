#include <gradus/nn/layers/upsampling.h>

#include "core/range.h"
#include "nn/module/repr.h"

namespace gradus::nn {

namespace {

template <class T>
std::string one_or_tuple(const std::vector<T>& values) {
  return values.size() == 1 ? repr(values[0]) : tuple(values);
}

std::int64_t checked_factor(const char* layer, const char* what, std::int64_t factor) {
  check_range(layer, what, factor, at_least(1));
  return factor;
}

}  // namespace

Upsample::Upsample(const char* type, const UpsampleOptions& o)
    : Module(type, (o.scale_factor.empty() ? "size=" + one_or_tuple(o.size)
                                           : "scale_factor=" + one_or_tuple(o.scale_factor)) +
                       ", mode='" + o.mode + "'"),
      options_(o) {
  if (o.size.empty() == o.scale_factor.empty()) {
    throw ValueError(std::string(type) + ": needs either size or scale_factor, got " +
                     (o.size.empty() ? "neither" : "both"));
  }
}

Tensor Upsample::forward(const Tensor& x) {
  return interpolate(x, {.size = options_.size,
                         .scale_factor = options_.scale_factor,
                         .mode = options_.mode,
                         .align_corners = options_.align_corners,
                         .recompute_scale_factor = options_.recompute_scale_factor});
}

UpsamplingNearest2d::UpsamplingNearest2d(const UpsampleOptions& o)
    : Upsample("UpsamplingNearest2d", {.size = o.size, .scale_factor = o.scale_factor}) {}
UpsamplingBilinear2d::UpsamplingBilinear2d(const UpsampleOptions& o)
    : Upsample("UpsamplingBilinear2d",
               {.size = o.size, .scale_factor = o.scale_factor, .mode = "bilinear", .align_corners = true}) {}

PixelShuffle::PixelShuffle(std::int64_t upscale_factor)
    : Module("PixelShuffle", "upscale_factor=" + std::to_string(upscale_factor)),
      factor_(checked_factor("PixelShuffle", "upscale_factor", upscale_factor)) {}

PixelUnshuffle::PixelUnshuffle(std::int64_t downscale_factor)
    : Module("PixelUnshuffle", "downscale_factor=" + std::to_string(downscale_factor)),
      factor_(checked_factor("PixelUnshuffle", "downscale_factor", downscale_factor)) {}

}  // namespace gradus::nn
