// Less common activations as modules; the functions are in gradus/ops/activation.h.
#pragma once

#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/module.h>
#include <gradus/ops/activation.h>

namespace gradus::nn {

// A module around one function, which has a form that works in place.
template <Tensor (*function)(const Tensor&), Tensor& (*in_place)(Tensor&)>
class PlainActivation : public Module {
 public:
  Tensor forward(const Tensor& x) override {
    if (!inplace_) return function(x);
    Tensor y = x;
    return in_place(y);
  }

 protected:
  PlainActivation(const char* type, bool inplace, bool prints) : Module(type), inplace_(inplace) {
    if (inplace && prints) set_detail("inplace=True");
  }

 private:
  bool inplace_;
};

struct SELU : PlainActivation<selu, selu_> {
  explicit SELU(bool inplace = false) : PlainActivation("SELU", inplace, true) {}
};
struct Mish : PlainActivation<mish, mish_> {
  explicit Mish(bool inplace = false) : PlainActivation("Mish", inplace, true) {}
};
// PyTorch prints no arguments of these two.
struct Hardswish : PlainActivation<hardswish, hardswish_> {
  explicit Hardswish(bool inplace = false) : PlainActivation("Hardswish", inplace, false) {}
};
struct Hardsigmoid : PlainActivation<hardsigmoid, hardsigmoid_> {
  explicit Hardsigmoid(bool inplace = false) : PlainActivation("Hardsigmoid", inplace, false) {}
};

class CELU : public Module {
 public:
  explicit CELU(double alpha = 1.0, bool inplace = false);
  Tensor forward(const Tensor& x) override;

 private:
  double alpha_;
  bool inplace_;
};

class Threshold : public Module {
 public:
  Threshold(const Scalar& threshold, const Scalar& value, bool inplace = false);
  Tensor forward(const Tensor& x) override;

 private:
  Scalar bound_, value_;
  bool inplace_;
};

class RReLU : public Module {
 public:
  explicit RReLU(double lower = 1.0 / 8, double upper = 1.0 / 3, bool inplace = false);
  Tensor forward(const Tensor& x) override;

 private:
  double lower_, upper_;
  bool inplace_;
};

struct Softsign : Module {
  Softsign() : Module("Softsign") {}
  Tensor forward(const Tensor& x) override { return softsign(x); }
};

struct Tanhshrink : Module {
  Tanhshrink() : Module("Tanhshrink") {}
  Tensor forward(const Tensor& x) override { return tanhshrink(x); }
};

class Softshrink : public Module {
 public:
  explicit Softshrink(double lambd = 0.5);
  Tensor forward(const Tensor& x) override { return softshrink(x, lambd_); }

 private:
  double lambd_;
};

class Hardshrink : public Module {
 public:
  explicit Hardshrink(double lambd = 0.5);
  Tensor forward(const Tensor& x) override { return hardshrink(x, lambd_); }

 private:
  double lambd_;
};

// Along `dim`, which must be given; PyTorch guesses it otherwise.
class Softmin : public Module {
 public:
  explicit Softmin(std::int64_t dim);
  Tensor forward(const Tensor& x) override { return softmin(x, dim_); }

 private:
  std::int64_t dim_;
};

// The softmax over the channels of [N, C, H, W] or [C, H, W].
struct Softmax2d : Module {
  Softmax2d() : Module("Softmax2d") {}
  Tensor forward(const Tensor& x) override;
};

class GLU : public Module {
 public:
  explicit GLU(std::int64_t dim = -1);
  Tensor forward(const Tensor& x) override { return glu(x, dim_); }

 private:
  std::int64_t dim_;
};

struct AlphaDropout : Dropout {
  explicit AlphaDropout(double p = 0.5, bool inplace = false) : Dropout("AlphaDropout", p, inplace) {}
  Tensor forward(const Tensor& x) override { return drop<alpha_dropout, alpha_dropout_>(x); }
};
struct FeatureAlphaDropout : Dropout {
  explicit FeatureAlphaDropout(double p = 0.5, bool inplace = false) : Dropout("FeatureAlphaDropout", p, inplace) {}
  Tensor forward(const Tensor& x) override { return drop<feature_alpha_dropout, feature_alpha_dropout_>(x); }
};

}  // namespace gradus::nn
