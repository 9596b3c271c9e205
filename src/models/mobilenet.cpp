#include <gradus/models/mobilenet.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/ops/pooling.h>

#include <algorithm>
#include <cmath>

#include "models/initial.h"

namespace gradus::models {

namespace {

// Convolution, normalisation and ReLU6, as torchvision groups them.
struct Conv2dNormActivation : nn::Sequential {
  Conv2dNormActivation(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1,
                       std::int64_t groups = 1) {
    state()->type = "Conv2dNormActivation";
    append(
        nn::Conv2d(in, out, kernel, {.stride = stride, .padding = (kernel - 1) / 2, .groups = groups, .bias = false}));
    append(nn::BatchNorm2d(out));
    append(nn::ReLU6(true));
  }
};

// The nearest multiple, but not less than nine tenths.
std::int64_t rounded(double channels, std::int64_t multiple) {
  const auto m = static_cast<double>(multiple);
  double n = std::max(m, std::floor((channels + m / 2) / m) * m);
  if (n < 0.9 * channels) n += m;
  return static_cast<std::int64_t>(n);
}

}  // namespace

InvertedResidual::InvertedResidual(std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t expand_ratio)
    : Module("InvertedResidual"), adds_(stride == 1 && in == out) {
  if (stride != 1 && stride != 2) {
    throw ValueError("InvertedResidual: stride must be 1 or 2, got " + std::to_string(stride));
  }
  const std::int64_t hidden = in * expand_ratio;
  nn::Sequential layers;
  if (expand_ratio != 1) layers.append(Conv2dNormActivation(in, hidden, 1));
  layers.append(Conv2dNormActivation(hidden, hidden, 3, stride, hidden));
  layers.append(nn::Conv2d(hidden, out, 1, {.bias = false}));
  layers.append(nn::BatchNorm2d(out));
  conv = add("conv", layers);
}

Tensor InvertedResidual::forward(const Tensor& x) { return adds_ ? x + conv(x) : conv(x); }

MobileNetV2::MobileNetV2(const MobileNetV2Options& o) : Module("MobileNetV2") {
  if (!(o.width_mult > 0 && o.width_mult <= 1000) || o.round_nearest < 1) {
    throw ValueError("MobileNetV2: width_mult must be in (0, 1000] and round_nearest at least 1, got " +
                     gradus::to_string(o.width_mult) + " and " + std::to_string(o.round_nearest));
  }
  struct Stage {
    std::int64_t expand_ratio, channels, blocks, stride;
  };
  constexpr Stage stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                              {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  const auto scaled = [&](double channels, double factor) { return rounded(channels * factor, o.round_nearest); };
  std::int64_t in = scaled(32, o.width_mult);
  const std::int64_t last = scaled(1280, std::max(1.0, o.width_mult));
  nn::Sequential layers;
  layers.append(Conv2dNormActivation(3, in, 3, 2));
  for (const Stage& stage : stages) {
    const std::int64_t out = scaled(static_cast<double>(stage.channels), o.width_mult);
    for (std::int64_t i = 0; i < stage.blocks; ++i) {
      layers.append(InvertedResidual(in, out, i == 0 ? stage.stride : 1, stage.expand_ratio));
      in = out;
    }
  }
  layers.append(Conv2dNormActivation(in, last, 1));
  features = add("features", layers);
  classifier = add("classifier", nn::Sequential(nn::Dropout(o.dropout), nn::Linear(last, o.num_classes)));
  start_convolutions(*this);
  start_linear(*this, 0.01);
}

Tensor MobileNetV2::forward(const Tensor& x) { return classifier(flatten(adaptive_avg_pool2d(features(x), 1), 1)); }

}  // namespace gradus::models
