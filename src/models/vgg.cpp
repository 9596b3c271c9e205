#include <gradus/models/vgg.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>

#include <array>

#include "models/initial.h"

namespace gradus::models {

namespace {

// Convolutions in each of the five stages, which end with a pooling.
std::array<int, 5> stages_of(int depth) {
  switch (depth) {
    case 11:
      return {1, 1, 2, 2, 2};
    case 13:
      return {2, 2, 2, 2, 2};
    case 16:
      return {2, 2, 3, 3, 3};
    case 19:
      return {2, 2, 4, 4, 4};
    default:
      throw ValueError("VGG: depth must be 11, 13, 16 or 19, got " + std::to_string(depth));
  }
}

nn::Sequential features_of(int depth, bool batch_norm) {
  constexpr std::array<std::int64_t, 5> channels{64, 128, 256, 512, 512};
  const std::array<int, 5> stages = stages_of(depth);
  nn::Sequential features;
  std::int64_t in = 3;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    for (int i = 0; i < stages[s]; ++i) {
      features.append(nn::Conv2d(in, channels[s], 3, {.padding = 1}));
      if (batch_norm) features.append(nn::BatchNorm2d(channels[s]));
      features.append(nn::ReLU(true));
      in = channels[s];
    }
    features.append(nn::MaxPool2d(2, {.stride = 2}));
  }
  return features;
}

VGG vgg(int depth, VGGOptions options, bool batch_norm) {
  options.batch_norm = batch_norm;
  return VGG(depth, options);
}

}  // namespace

VGG::VGG(int depth, const VGGOptions& o)
    : Module("VGG"),
      features(add("features", features_of(depth, o.batch_norm))),
      avgpool(add("avgpool", nn::AdaptiveAvgPool2d({7, 7}))),
      classifier(add("classifier", nn::Sequential(nn::Linear(512 * 7 * 7, 4096), nn::ReLU(true), nn::Dropout(o.dropout),
                                                  nn::Linear(4096, 4096), nn::ReLU(true), nn::Dropout(o.dropout),
                                                  nn::Linear(4096, o.num_classes)))) {
  start_convolutions(*this);
  start_linear(*this, 0.01);
}

Tensor VGG::forward(const Tensor& x) { return classifier(flatten(avgpool(features(x)), 1)); }

VGG vgg11(VGGOptions options) { return vgg(11, options, false); }
VGG vgg13(VGGOptions options) { return vgg(13, options, false); }
VGG vgg16(VGGOptions options) { return vgg(16, options, false); }
VGG vgg19(VGGOptions options) { return vgg(19, options, false); }
VGG vgg11_bn(VGGOptions options) { return vgg(11, options, true); }
VGG vgg13_bn(VGGOptions options) { return vgg(13, options, true); }
VGG vgg16_bn(VGGOptions options) { return vgg(16, options, true); }
VGG vgg19_bn(VGGOptions options) { return vgg(19, options, true); }

}  // namespace gradus::models
