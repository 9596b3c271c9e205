// Inverses of sine and cosine, and hyperbolic functions with their inverses.
#include <gradus/ops/mathematics.h>

#include <numbers>

#include "kernels/formulas/angles.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

Tensor asin(const Tensor& x) { return unary(Asin{}, x); }
Tensor acos(const Tensor& x) { return unary(Acos{}, x); }
Tensor sinh(const Tensor& x) { return unary(Sinh{}, x); }
Tensor cosh(const Tensor& x) { return unary(Cosh{}, x); }
Tensor asinh(const Tensor& x) { return unary(Asinh{}, x); }
Tensor acosh(const Tensor& x) { return unary(Acosh{}, x); }
Tensor atanh(const Tensor& x) { return unary(Atanh{}, x); }

Tensor deg2rad(const Tensor& x) { return x.to(to_floating(x.dtype())) * (std::numbers::pi / 180); }
Tensor rad2deg(const Tensor& x) { return x.to(to_floating(x.dtype())) * (180 / std::numbers::pi); }

Tensor sinc(const Tensor& x) {
  const Tensor zero = x == 0;
  const Dtype dtype = to_floating(x.dtype());
  const Tensor angle = masked_fill(x.to(compute_type(dtype)), zero, 1) * std::numbers::pi;
  return masked_fill(sin(angle) / angle, zero, 1).to(dtype);
}

}  // namespace gradus
