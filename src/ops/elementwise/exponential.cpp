// Powers, roots, exponentials and logarithms.
#include <gradus/ops.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/formulas/exponential.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

Tensor exp(const Tensor& x) { return unary(Exp{}, x); }
Tensor expm1(const Tensor& x) { return unary(Expm1{}, x); }
Tensor log(const Tensor& x) { return unary(Log{}, x); }
Tensor log1p(const Tensor& x) { return unary(Log1p{}, x); }
Tensor log2(const Tensor& x) { return unary(Log2{}, x); }
Tensor log10(const Tensor& x) { return unary(Log10{}, x); }
Tensor sqrt(const Tensor& x) { return unary(Sqrt{}, x); }
Tensor rsqrt(const Tensor& x) { return unary(Rsqrt{}, x); }
Tensor square(const Tensor& x) { return unary(Square{}, x.dtype() == kBool ? x.to(kInt64) : x); }
Tensor reciprocal(const Tensor& x) { return unary(Reciprocal{}, x); }

}  // namespace gradus
