#include <gradus/nn/layers/further_activations.h>

#include "nn/module/repr.h"

namespace gradus::nn {

namespace {

std::string and_place(bool inplace) { return inplace ? ", inplace=True" : ""; }

}  // namespace

CELU::CELU(double alpha, bool inplace)
    : Module("CELU", "alpha=" + repr(alpha) + and_place(inplace)), alpha_(alpha), inplace_(inplace) {}

Tensor CELU::forward(const Tensor& x) {
  if (!inplace_) return celu(x, alpha_);
  Tensor y = x;
  return celu_(y, alpha_);
}

Threshold::Threshold(const Scalar& threshold, const Scalar& value, bool inplace)
    : Module("Threshold", "threshold=" + repr(threshold) + ", value=" + repr(value) + and_place(inplace)),
      bound_(threshold),
      value_(value),
      inplace_(inplace) {}

Tensor Threshold::forward(const Tensor& x) {
  if (!inplace_) return gradus::threshold(x, bound_, value_);
  Tensor y = x;
  return gradus::threshold_(y, bound_, value_);
}

RReLU::RReLU(double lower, double upper, bool inplace)
    : Module("RReLU", "lower=" + repr(lower) + ", upper=" + repr(upper) + and_place(inplace)),
      lower_(lower),
      upper_(upper),
      inplace_(inplace) {}

Tensor RReLU::forward(const Tensor& x) {
  if (!inplace_) return rrelu(x, lower_, upper_, is_training());
  Tensor y = x;
  return rrelu_(y, lower_, upper_, is_training());
}

Softshrink::Softshrink(double lambd) : Module("Softshrink", repr(lambd)), lambd_(lambd) {}
Hardshrink::Hardshrink(double lambd) : Module("Hardshrink", repr(lambd)), lambd_(lambd) {}
Softmin::Softmin(std::int64_t dim) : Module("Softmin", "dim=" + std::to_string(dim)), dim_(dim) {}
GLU::GLU(std::int64_t dim) : Module("GLU", "dim=" + std::to_string(dim)), dim_(dim) {}

Tensor Softmax2d::forward(const Tensor& x) {
  if (x.dim() != 3 && x.dim() != 4) {
    throw ShapeError("Softmax2d: needs [N, C, H, W] or [C, H, W], got " + gradus::to_string(x.sizes()));
  }
  return softmax(x, -3);
}

}  // namespace gradus::nn
