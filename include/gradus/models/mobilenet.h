// MobileNetV2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018). Names, shapes and
// initial values are torchvision's.
#pragma once

#include <gradus/nn/containers.h>

namespace gradus::models {

struct MobileNetV2Options {
  std::int64_t num_classes = 1000;
  double width_mult = 1;  // channels, rounded to multiples of round_nearest
  std::int64_t round_nearest = 8;
  double dropout = 0.2;
};

// Images [batch, 3, H, W], normally 224 x 224 -> scores [batch, num_classes].
class MobileNetV2 : public nn::Module {
 public:
  nn::Sequential features, classifier;
  explicit MobileNetV2(const MobileNetV2Options& options = {});
  Tensor forward(const Tensor& x) override;
};

// A 1 x 1 convolution to `expand_ratio` times the channels, a 3 x 3 one of each channel, and a 1 x 1 one without
// activation; the input is added where sizes allow.
class InvertedResidual : public nn::Module {
 public:
  nn::Sequential conv;
  InvertedResidual(std::int64_t in_channels, std::int64_t out_channels, std::int64_t stride, std::int64_t expand_ratio);
  Tensor forward(const Tensor& x) override;

 private:
  bool adds_;
};

}  // namespace gradus::models
