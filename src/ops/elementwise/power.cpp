// pow: a tensor to the power of a number or of another tensor.
#include <gradus/ops.h>

#include <cmath>

#include "kernels/formulas/power.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

Tensor pow(const Tensor& a, const Scalar& exponent) {
  const Dtype dtype = promote_scalar(a.dtype(), exponent);
  if (is_integral(dtype)) {
    const auto integer = exponent.to<std::int64_t>();
    if (integer < 0) {
      throw ValueError("pow: integers to a negative integer power are not integers, got exponent " +
                       std::to_string(integer) + " and a tensor of type " + to_string(a.dtype()));
    }
    check_fits("pow", exponent, dtype);
    // Truth values to a truth value: only false to the power true is false.
    if (dtype == kBool) return integer == 0 ? ones_like(a) : a.clone();
    return unary(PowNumber{static_cast<double>(integer), integer}, a.to(dtype));
  }
  const Tensor x = a.to(dtype);
  const double e = exponent.to<double>();
  if (e == 2) return square(x);
  if (e == 0.5) return sqrt(x);
  if (e == 1) return unary(PowOne{}, x);
  if (e == -1) return reciprocal(x);
  if (e == 3) return unary(Cube{}, x);
  if (e == -0.5) return rsqrt(x);
  if (e == 0) return unary(PowZero{}, x);
  return unary(PowNumber{e}, x);
}

Tensor pow(const Tensor& a, const Tensor& exponent) {
  // The logarithm of integers, which the exponent's gradient takes, would be float32.
  if (is_integral(a.dtype()) && exponent.is_floating_point()) {
    return binary(Pow{}, a.to(result_type(a, exponent)), exponent);
  }
  return binary(Pow{}, a, exponent);
}
Tensor pow(const Scalar& a, const Tensor& exponent) { return pow(number(a, exponent), exponent); }

}  // namespace gradus
