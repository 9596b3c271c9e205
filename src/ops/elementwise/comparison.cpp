// Comparisons, logic and questions about elements: bool results, no gradient.
#include <gradus/ops.h>

#include <cmath>

#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/with_number.h"

namespace gradus {

using namespace ops;

namespace {

#define GRADUS_COMPARISON(Name, label, expression) \
  struct Name {                                    \
    static constexpr const char* name = label;     \
    template <class T>                             \
    GRADUS_INLINE bool f(T a, T b) const {         \
      return expression;                           \
    }                                              \
  };
GRADUS_COMPARISON(Eq, "eq", a == b)
GRADUS_COMPARISON(Ne, "ne", a != b)
GRADUS_COMPARISON(Lt, "lt", a < b)
GRADUS_COMPARISON(Le, "le", a <= b)
GRADUS_COMPARISON(Gt, "gt", a > b)
GRADUS_COMPARISON(Ge, "ge", a >= b)
// Both sides are evaluated: a branch would keep the loop from being vectorised.
GRADUS_COMPARISON(LogicalAnd, "logical_and", (a != 0) & (b != 0))
GRADUS_COMPARISON(LogicalOr, "logical_or", (a != 0) | (b != 0))
GRADUS_COMPARISON(LogicalXor, "logical_xor", (a != 0) != (b != 0))
#undef GRADUS_COMPARISON

struct LogicalNot {
  static constexpr const char* name = "logical_not";
  template <class T>
  GRADUS_INLINE bool f(T x) const {
    return x == 0;
  }
};

// Written with comparisons, which vectorise where the classification functions of <cmath> do not.
struct IsNan {
  static constexpr const char* name = "isnan";
  template <class T>
  GRADUS_INLINE bool f(T x) const {
    return x != x;
  }
};

struct IsInf {
  static constexpr const char* name = "isinf";
  template <class T>
  GRADUS_INLINE bool f(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::abs(x) > std::numeric_limits<T>::max();
    return false;
  }
};

struct IsFinite {
  static constexpr const char* name = "isfinite";
  template <class T>
  GRADUS_INLINE bool f(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::abs(x) <= std::numeric_limits<T>::max();
    return true;
  }
};

struct IsClose {
  static constexpr const char* name = "allclose";
  double rtol, atol;
  bool equal_nan;
  template <class T>
  GRADUS_INLINE bool f(T a, T b) const {
    // Infinities are close to themselves only; a difference with one is NaN or infinite, as is its bound.
    // In the tensors' own type, as PyTorch: a bound of 0.1 is float32's 0.1 there.
    using U = std::conditional_t<std::is_floating_point_v<T>, T, double>;
    const U x = static_cast<U>(a), y = static_cast<U>(b);
    const U distance = std::abs(x - y);
    const bool near = (distance <= static_cast<U>(atol) + std::abs(static_cast<U>(rtol) * y)) &
                      (distance <= std::numeric_limits<U>::max());
    return near | (x == y) | (equal_nan & (x != x) & (y != y));
  }
};

}  // namespace

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

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  if (!(rtol >= 0 && atol >= 0)) {
    throw ValueError("allclose: tolerances must not be negative, got rtol " + std::to_string(rtol) + " and atol " +
                     std::to_string(atol));
  }
  return all(predicate(IsClose{rtol, atol, equal_nan}, a, b)).item<bool>();
}

}  // namespace gradus
