// Dropout as modules. While training, each element (or channel) is zero with probability p and the others are scaled by
// 1 / (1 - p); the identity in evaluation. Srivastava et al. (2014).
#pragma once

#include <gradus/nn/module.h>
#include <gradus/ops/resampling.h>

namespace gradus::nn {

class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5) : Dropout("Dropout", p) {}
  Tensor forward(const Tensor& x) override { return dropout(x, p_, is_training()); }

 protected:
  Dropout(const char* type, double p);
  double p_;
};

// Whole channels of [N, C, L], [N, C, H, W] and [N, C, D, H, W]; see gradus/ops/resampling.h.
struct Dropout1d : Dropout {
  explicit Dropout1d(double p = 0.5) : Dropout("Dropout1d", p) {}
  Tensor forward(const Tensor& x) override { return dropout1d(x, p_, is_training()); }
};
struct Dropout2d : Dropout {
  explicit Dropout2d(double p = 0.5) : Dropout("Dropout2d", p) {}
  Tensor forward(const Tensor& x) override { return dropout2d(x, p_, is_training()); }
};
struct Dropout3d : Dropout {
  explicit Dropout3d(double p = 0.5) : Dropout("Dropout3d", p) {}
  Tensor forward(const Tensor& x) override { return dropout3d(x, p_, is_training()); }
};

}  // namespace gradus::nn
