// neg, abs, sign, and rounding to integers.
#include <gradus/ops.h>

#include <cmath>

#include "kernels/formulas/rounding.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

Tensor neg(const Tensor& x) { return unary(Neg{}, x); }
Tensor abs(const Tensor& x) { return unary(Abs{}, x); }
Tensor sign(const Tensor& x) { return unary(Sign{}, x); }
Tensor floor(const Tensor& x) { return unary(Floor{}, x); }
Tensor ceil(const Tensor& x) { return unary(Ceil{}, x); }
Tensor round(const Tensor& x) { return unary(Round{}, x); }

}  // namespace gradus
