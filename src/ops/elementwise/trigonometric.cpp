// sin, cos, tan, atan, tanh, erf.
#include <gradus/ops.h>

#include <cmath>
#include <numbers>

#include "kernels/formulas/trigonometric.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

Tensor sin(const Tensor& x) { return unary(Sin{}, x); }
Tensor cos(const Tensor& x) { return unary(Cos{}, x); }
Tensor tan(const Tensor& x) { return unary(Tan{}, x); }
Tensor atan(const Tensor& x) { return unary(Atan{}, x); }
Tensor tanh(const Tensor& x) { return unary(Tanh{}, x); }
Tensor erf(const Tensor& x) { return unary(Erf{}, x); }

}  // namespace gradus
