// LeNet as the article has it: LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998), for
// colour images, with max pooling and ReLU.
#pragma once

#include <gradus/nn/containers.h>

namespace gradus::models {

// Images [batch, 3, 32, 32] -> scores [batch, num_classes]. `features` and `classifier` are the article's two groups of
// parameters.
class LeNet : public nn::Module {
 public:
  nn::Sequential features, classifier;
  explicit LeNet(std::int64_t num_classes = 10);
  Tensor forward(const Tensor& x) override;
};

}  // namespace gradus::models
