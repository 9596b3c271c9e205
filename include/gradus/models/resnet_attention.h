// The article's RESNET_attention: a frozen residual network with self-attention over its last feature map, which trains
// together with a new last layer.
#pragma once

#include <gradus/models/resnet.h>

namespace gradus::models {

// The article gives the constructor and leaves the forward open. Here it is the self-attention of Zhang et al.,
// "Self-Attention Generative Adversarial Networks" (2019), whose f, g, h and gamma these are: with x_i the channels of
// position i of the feature map,
//
//   attention[j, i] = softmax over i of f(x_i) . g(x_j)
//   y_j             = gamma * sum over i of attention[j, i] h(x_i) + x_j
//
// then average pooling over 7 x 7 positions and the new `fc`. gamma starts at 0, so that training starts from the
// network as it was.
class ResNetAttention : public nn::Module {
 public:
  ResNet resnet;
  nn::Conv2d f, g, h;  // 1 x 1: to a quarter of the channels (512 of 2048), to as many, and to all
  nn::Softmax softmax;
  nn::Parameter gamma;
  nn::AvgPool2d avgpool;

  // Takes over the network: all that it holds is frozen (see nn/freeze.h), but for its `fc`, which is replaced.
  explicit ResNetAttention(ResNet&& pretrained, std::int64_t num_classes = 10);
  // [batch, channels, H, W] -> the same.
  Tensor attend(const Tensor& x);
  // Images [batch, 3, H, W], 193 to 224 wide and high -> scores [batch, num_classes]. ShapeError for others.
  Tensor forward(const Tensor& x) override;
};

}  // namespace gradus::models
