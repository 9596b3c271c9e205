// Comparisons, logic and questions about elements.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/formulas/formula.h"

namespace gradus::ops {

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

}  // namespace gradus::ops
