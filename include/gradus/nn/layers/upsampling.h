// Resizing as modules; the functions are in gradus/ops/resampling.h.
#pragma once

#include <gradus/nn/module.h>
#include <gradus/ops/resampling.h>

namespace gradus::nn {

struct UpsampleOptions {
  PerDimension<std::int64_t> size = {};    // this, one number for all dimensions or one for each,
  PerDimension<double> scale_factor = {};  // or this
  std::string mode = "nearest";
  std::optional<bool> align_corners = {};
  bool recompute_scale_factor = false;
};

// interpolate with fixed options: `nn::Upsample({.scale_factor = 2, .mode = "bilinear"})`.
class Upsample : public Module {
 public:
  explicit Upsample(const UpsampleOptions& options) : Upsample("Upsample", options) {}
  Tensor forward(const Tensor& x) override;

 protected:
  Upsample(const char* type, const UpsampleOptions& options);

 private:
  UpsampleOptions options_;
};

// [N, C, H, W] by the nearest pixel; bilinear with aligned corners. Only size and scale_factor are read.
struct UpsamplingNearest2d : Upsample {
  explicit UpsamplingNearest2d(const UpsampleOptions& options);
};
struct UpsamplingBilinear2d : Upsample {
  explicit UpsamplingBilinear2d(const UpsampleOptions& options);
};

// [..., C r^2, H, W] -> [..., C, H r, W r]
class PixelShuffle : public Module {
 public:
  explicit PixelShuffle(std::int64_t upscale_factor);
  Tensor forward(const Tensor& x) override { return pixel_shuffle(x, factor_); }

 private:
  std::int64_t factor_;
};

// [..., C, H r, W r] -> [..., C r^2, H, W]
class PixelUnshuffle : public Module {
 public:
  explicit PixelUnshuffle(std::int64_t downscale_factor);
  Tensor forward(const Tensor& x) override { return pixel_unshuffle(x, factor_); }

 private:
  std::int64_t factor_;
};

}  // namespace gradus::nn
