#include <gradus/models/resnet.h>
#include <gradus/nn/chain.h>
#include <gradus/nn/init.h>

#include "models/initial.h"

namespace gradus::models {

namespace {

nn::Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1,
                std::int64_t groups = 1) {
  return nn::Conv2d(in, out, kernel, {.stride = stride, .padding = kernel / 2, .groups = groups, .bias = false});
}

nn::Sequential downsampling(std::int64_t in, std::int64_t out, std::int64_t stride) {
  return stride == 1 && in == out ? nn::Sequential() : nn::Sequential(conv(in, out, 1, stride), nn::BatchNorm2d(out));
}

}  // namespace

BasicBlock::BasicBlock(std::int64_t in, std::int64_t channels, std::int64_t stride)
    : Module("BasicBlock"),
      conv1(add("conv1", conv(in, channels, 3, stride))),
      bn1(add("bn1", nn::BatchNorm2d(channels))),
      relu(add("relu", nn::ReLU(true))),
      conv2(add("conv2", conv(channels, channels, 3))),
      bn2(add("bn2", nn::BatchNorm2d(channels))),
      downsample(downsampling(in, channels, stride)) {
  if (!downsample.is_empty()) downsample = add("downsample", downsample);
}

Tensor BasicBlock::forward(const Tensor& x) {
  return nn::residual_chain(x, downsample(x), conv1, bn1, relu, conv2, bn2, relu);
}

Bottleneck::Bottleneck(std::int64_t in, std::int64_t channels, std::int64_t stride, std::int64_t groups,
                       std::int64_t width_per_group)
    : Module("Bottleneck"),
      conv1(conv(in, channels * width_per_group / 64 * groups, 1)),
      bn1(conv1.weight.size(0)),
      conv2(conv(conv1.weight.size(0), conv1.weight.size(0), 3, stride, groups)),
      bn2(conv1.weight.size(0)),
      conv3(conv(conv1.weight.size(0), channels * expansion, 1)),
      bn3(channels * expansion),
      relu(true),
      downsample(downsampling(in, channels * expansion, stride)) {
  conv1 = add("conv1", conv1);
  bn1 = add("bn1", bn1);
  conv2 = add("conv2", conv2);
  bn2 = add("bn2", bn2);
  conv3 = add("conv3", conv3);
  bn3 = add("bn3", bn3);
  relu = add("relu", relu);
  if (!downsample.is_empty()) downsample = add("downsample", downsample);
}

Tensor Bottleneck::forward(const Tensor& x) {
  return nn::residual_chain(x, downsample(x), conv1, bn1, relu, conv2, bn2, relu, conv3, bn3, relu);
}

namespace {

// The first block of a stage changes the sizes, the others keep them. `in` becomes the stage's result's channels.
nn::Sequential stage(ResNet::Block block, std::int64_t& in, std::int64_t channels, std::int64_t blocks,
                     std::int64_t stride, const ResNetOptions& o) {
  if (blocks < 1) throw ValueError("ResNet: a stage needs at least one block, got " + std::to_string(blocks));
  nn::Sequential stage;
  for (std::int64_t i = 0; i < blocks; ++i) {
    if (block == ResNet::Block::Basic) {
      stage.append(BasicBlock(in, channels, i == 0 ? stride : 1));
      in = channels * BasicBlock::expansion;
    } else {
      stage.append(Bottleneck(in, channels, i == 0 ? stride : 1, o.groups, o.width_per_group));
      in = channels * Bottleneck::expansion;
    }
  }
  return stage;
}

std::int64_t features_of(ResNet::Block block) {
  return 512 * (block == ResNet::Block::Basic ? BasicBlock::expansion : Bottleneck::expansion);
}

}  // namespace

ResNet::ResNet(Block block, const std::array<std::int64_t, 4>& blocks, const ResNetOptions& o)
    : Module("ResNet"),
      conv1(add("conv1", nn::Conv2d(3, 64, 7, {.stride = 2, .padding = 3, .bias = false}))),
      bn1(add("bn1", nn::BatchNorm2d(64))),
      relu(add("relu", nn::ReLU(true))),
      maxpool(add("maxpool", nn::MaxPool2d(3, {.stride = 2, .padding = 1}))),
      avgpool({1, 1}),
      fc(features_of(block), o.num_classes) {
  if (block == Block::Basic && (o.groups != 1 || o.width_per_group != 64)) {
    throw ValueError("ResNet: basic blocks have 1 group of width 64, got " + std::to_string(o.groups) + " of width " +
                     std::to_string(o.width_per_group));
  }
  std::int64_t in = 64;
  layer1 = add("layer1", stage(block, in, 64, blocks[0], 1, o));
  layer2 = add("layer2", stage(block, in, 128, blocks[1], 2, o));
  layer3 = add("layer3", stage(block, in, 256, blocks[2], 2, o));
  layer4 = add("layer4", stage(block, in, 512, blocks[3], 2, o));
  avgpool = add("avgpool", avgpool);
  fc = add("fc", fc);
  start_convolutions(*this);
  if (!o.zero_init_residual) return;
  for (nn::Module* module : modules()) {
    if (auto* basic = module->as<BasicBlock>()) nn::init::zeros_(basic->bn2.weight);
    if (auto* bottleneck = module->as<Bottleneck>()) nn::init::zeros_(bottleneck->bn3.weight);
  }
}

Tensor ResNet::features(const Tensor& x) {
  return nn::chain(x, conv1, bn1, relu, maxpool, layer1, layer2, layer3, layer4);
}

Tensor ResNet::forward(const Tensor& x) { return fc(flatten(avgpool(features(x)), 1)); }

ResNet resnet18(const ResNetOptions& options) { return ResNet(ResNet::Block::Basic, {2, 2, 2, 2}, options); }
ResNet resnet34(const ResNetOptions& options) { return ResNet(ResNet::Block::Basic, {3, 4, 6, 3}, options); }
ResNet resnet50(const ResNetOptions& options) { return ResNet(ResNet::Block::Bottleneck, {3, 4, 6, 3}, options); }
ResNet resnet101(const ResNetOptions& options) { return ResNet(ResNet::Block::Bottleneck, {3, 4, 23, 3}, options); }
ResNet resnet152(const ResNetOptions& options) { return ResNet(ResNet::Block::Bottleneck, {3, 8, 36, 3}, options); }

}  // namespace gradus::models
