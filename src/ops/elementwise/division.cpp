// Division that rounds down, and what is left of it: Python's // and %.
#include <gradus/ops.h>

#include <cmath>

#include "kernels/formulas/arithmetic.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

void refuse_zero(const char* name, const Tensor& a, const Tensor& b) {
  if (!is_integral(a.dtype()) || !is_integral(b.dtype())) return;
  // In the type that divides: a number beside a tensor may become zero there.
  if (any(b.to(result_type(a, b)) == 0).item<bool>())
    throw ValueError(std::string(name) + ": an integer divisor is zero");
}

// A number as a tensor beside x.
Tensor beside(const Tensor& x, const Scalar& number) {
  return Tensor::scalar(number, promote_scalar(x.dtype(), number)).to(x.device());
}

}  // namespace

Tensor remainder(const Tensor& a, const Tensor& b) {
  refuse_zero("remainder", a, b);
  return binary(Remainder{}, a, b);
}
Tensor remainder(const Tensor& a, const Scalar& b) { return remainder(a, beside(a, b)); }

// Steps have no useful gradient; as in PyTorch the result is outside of every graph.
Tensor floor_divide(const Tensor& a, const Tensor& b) {
  refuse_zero("floor_divide", a, b);
  return binary_forward(FloorDivide{}, a, b);
}
Tensor floor_divide(const Tensor& a, const Scalar& b) { return floor_divide(a, beside(a, b)); }

}  // namespace gradus
