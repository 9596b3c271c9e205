// VGG: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015), with and
// without batch normalisation. Names, shapes and initial values are torchvision's.
#pragma once

#include <gradus/nn/containers.h>
#include <gradus/nn/layers/pooling.h>

namespace gradus::models {

struct VGGOptions {
  std::int64_t num_classes = 1000;
  double dropout = 0.5;
  bool batch_norm = false;
};

// Images [batch, 3, H, W] of at least 32 x 32, normally 224 x 224 -> scores [batch, num_classes].
class VGG : public nn::Module {
 public:
  nn::Sequential features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Sequential classifier;
  // depth: 11, 13, 16 or 19 layers with weights (ValueError).
  explicit VGG(int depth, const VGGOptions& options = {});
  Tensor forward(const Tensor& x) override;
};

VGG vgg11(VGGOptions options = {});
VGG vgg13(VGGOptions options = {});
VGG vgg16(VGGOptions options = {});
VGG vgg19(VGGOptions options = {});
VGG vgg11_bn(VGGOptions options = {});
VGG vgg13_bn(VGGOptions options = {});
VGG vgg16_bn(VGGOptions options = {});
VGG vgg19_bn(VGGOptions options = {});

}  // namespace gradus::models
