// Dropout as modules. While training, each element (or channel) is zero with probability p and the others are scaled by
// 1 / (1 - p); the identity in evaluation. Srivastava et al. (2014).
#pragma once

#include <gradus/nn/module.h>
#include <gradus/ops/in_place.h>
#include <gradus/ops/resampling.h>

namespace gradus::nn {

class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5, bool inplace = false) : Dropout("Dropout", p, inplace) {}
  Tensor forward(const Tensor& x) override { return drop<dropout, dropout_>(x); }

 protected:
  using Function = Tensor (*)(const Tensor& x, double p, bool training, Generator* generator);
  using InPlace = Tensor& (*)(Tensor& x, double p, bool training, Generator* generator);
  Dropout(const char* type, double p, bool inplace);
  template <Function function, InPlace in_place>
  Tensor drop(const Tensor& x) const {
    if (!inplace_) return function(x, p_, is_training(), nullptr);
    Tensor y = x;
    return in_place(y, p_, is_training(), nullptr);
  }

 private:
  double p_;
  bool inplace_;
};

// Whole channels of [N, C, L], [N, C, H, W] and [N, C, D, H, W]; see gradus/ops/resampling.h.
struct Dropout1d : Dropout {
  explicit Dropout1d(double p = 0.5, bool inplace = false) : Dropout("Dropout1d", p, inplace) {}
  Tensor forward(const Tensor& x) override { return drop<dropout1d, dropout1d_>(x); }
};
struct Dropout2d : Dropout {
  explicit Dropout2d(double p = 0.5, bool inplace = false) : Dropout("Dropout2d", p, inplace) {}
  Tensor forward(const Tensor& x) override { return drop<dropout2d, dropout2d_>(x); }
};
struct Dropout3d : Dropout {
  explicit Dropout3d(double p = 0.5, bool inplace = false) : Dropout("Dropout3d", p, inplace) {}
  Tensor forward(const Tensor& x) override { return drop<dropout3d, dropout3d_>(x); }
};

}  // namespace gradus::nn
