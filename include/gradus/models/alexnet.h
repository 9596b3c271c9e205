// AlexNet in its one-tower form: Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014,
// arXiv 1404.5997). Names, shapes and initial values are torchvision's.
#pragma once

#include <gradus/nn/containers.h>
#include <gradus/nn/layers/pooling.h>

namespace gradus::models {

struct AlexNetOptions {
  std::int64_t num_classes = 1000;
  double dropout = 0.5;
};

// Images [batch, 3, H, W] of at least 63 x 63, normally 224 x 224 -> scores [batch, num_classes].
class AlexNet : public nn::Module {
 public:
  nn::Sequential features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Sequential classifier;
  explicit AlexNet(const AlexNetOptions& options = {});
  Tensor forward(const Tensor& x) override;
};

}  // namespace gradus::models
