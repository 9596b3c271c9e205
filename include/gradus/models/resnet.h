// Residual networks: He et al., "Deep Residual Learning for Image Recognition" (2016), as torchvision has them (the
// stride of a bottleneck lies in its 3 x 3 convolution). Names, shapes and initial values are torchvision's, so that
// its checkpoints load.
#pragma once

#include <array>

#include <gradus/nn/containers.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/nn/layers/pooling.h>

namespace gradus::models {

// Two 3 x 3 convolutions beside the identity, or beside a 1 x 1 convolution where sizes change.
class BasicBlock : public nn::Module {
 public:
  static constexpr std::int64_t expansion = 1;
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::ReLU relu;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  nn::Sequential downsample;  // empty, and then not registered, where the input itself is added
  BasicBlock(std::int64_t in_channels, std::int64_t channels, std::int64_t stride);
  Tensor forward(const Tensor& x) override;
};

// 1 x 1 to `channels` (wider with `groups` and `width_per_group`: ResNeXt, Wide ResNet), 3 x 3, 1 x 1 to four times as
// many.
class Bottleneck : public nn::Module {
 public:
  static constexpr std::int64_t expansion = 4;
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  nn::Conv2d conv3;
  nn::BatchNorm2d bn3;
  nn::ReLU relu;
  nn::Sequential downsample;
  Bottleneck(std::int64_t in_channels, std::int64_t channels, std::int64_t stride, std::int64_t groups,
             std::int64_t width_per_group);
  Tensor forward(const Tensor& x) override;
};

struct ResNetOptions {
  std::int64_t num_classes = 1000;
  bool zero_init_residual = false;  // each branch starts at zero: its last normalisation's weight does
  std::int64_t groups = 1;          // bottlenecks only
  std::int64_t width_per_group = 64;
};

// Images [batch, 3, H, W], normally 224 x 224 -> scores [batch, num_classes].
class ResNet : public nn::Module {
 public:
  enum class Block { Basic, Bottleneck };

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::ReLU relu;
  nn::MaxPool2d maxpool;
  nn::Sequential layer1, layer2, layer3, layer4;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear fc;

  ResNet(Block block, const std::array<std::int64_t, 4>& blocks, const ResNetOptions& options = {});
  // What `avgpool` takes: [batch, 512 or 2048, H / 32, W / 32], sizes rounded up.
  Tensor features(const Tensor& x);
  Tensor forward(const Tensor& x) override;
};

ResNet resnet18(const ResNetOptions& options = {});
ResNet resnet34(const ResNetOptions& options = {});
ResNet resnet50(const ResNetOptions& options = {});
ResNet resnet101(const ResNetOptions& options = {});
ResNet resnet152(const ResNetOptions& options = {});

}  // namespace gradus::models
