// Comparisons, logic and questions about elements: bool results, no gradient.
#include <gradus/ops.h>
#include <gradus/ops/choice.h>

#include <cmath>

#include "kernels/formulas/comparison.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/with_number.h"

namespace gradus {

using namespace ops;

Tensor eq(const Tensor& a, const Tensor& b) { return predicate(Eq{}, a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { return predicate(Ne{}, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return predicate(Lt{}, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return predicate(Le{}, a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { return predicate(Gt{}, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return predicate(Ge{}, a, b); }
Tensor eq(const Tensor& a, const Scalar& b) { return predicate(Eq{}, a, b); }
Tensor ne(const Tensor& a, const Scalar& b) { return predicate(Ne{}, a, b); }
Tensor lt(const Tensor& a, const Scalar& b) { return predicate(Lt{}, a, b); }
Tensor le(const Tensor& a, const Scalar& b) { return predicate(Le{}, a, b); }
Tensor gt(const Tensor& a, const Scalar& b) { return predicate(Gt{}, a, b); }
Tensor ge(const Tensor& a, const Scalar& b) { return predicate(Ge{}, a, b); }
Tensor logical_and(const Tensor& a, const Tensor& b) { return predicate(LogicalAnd{}, a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return predicate(LogicalOr{}, a, b); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { return predicate(LogicalXor{}, a, b); }
Tensor logical_not(const Tensor& x) { return predicate(LogicalNot{}, x); }
Tensor isnan(const Tensor& x) { return predicate(IsNan{}, x); }
Tensor isinf(const Tensor& x) { return predicate(IsInf{}, x); }
Tensor isfinite(const Tensor& x) { return predicate(IsFinite{}, x); }

bool equal(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.sizes() == b.sizes() && all(eq(a, b)).item<bool>();
}

namespace {

// The same in the name of either call.
Tensor close(const char* call, const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  if (!(rtol >= 0 && atol >= 0)) {
    throw ValueError(std::string(call) + ": tolerances must not be negative, got rtol " + std::to_string(rtol) +
                     " and atol " + std::to_string(atol));
  }
  return predicate(IsClose{rtol, atol, equal_nan}, a, b);
}

}  // namespace

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  return all(close("allclose", a, b, rtol, atol, equal_nan)).item<bool>();
}

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  if (a.dtype() != b.dtype()) {
    throw DtypeError(std::string("isclose: both operands must have the same type, got ") + to_string(a.dtype()) +
                     " and " + to_string(b.dtype()));
  }
  return close("isclose", a, b, rtol, atol, equal_nan);
}

}  // namespace gradus
