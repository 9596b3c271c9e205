// erfc, erfinv, and the gamma function's logarithm and its derivatives.
#include <gradus/ops/mathematics.h>

#include "kernels/formulas/special.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

Tensor erfc(const Tensor& x) { return unary(Erfc{}, x); }
Tensor erfinv(const Tensor& x) { return unary(Erfinv{}, x); }
Tensor lgamma(const Tensor& x) { return unary(Lgamma{}, x); }
Tensor digamma(const Tensor& x) { return unary(Digamma{}, x); }

Tensor polygamma(std::int64_t n, const Tensor& x) {
  // Beyond 170 the factorial is beyond float64.
  if (n < 0 || n > 170) throw ValueError("polygamma: n must be in [0, 170], got " + std::to_string(n));
  return n == 0 ? digamma(x) : unary(Polygamma{static_cast<int>(n)}, x);
}

}  // namespace gradus
