#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

// While training, each element is zero with probability p and the others are scaled by 1 / (1 - p); the identity in
// evaluation. Srivastava et al. (2014).
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) override { return dropout(x, p_, is_training()); }

 private:
  double p_;
};

}  // namespace gradus::nn
