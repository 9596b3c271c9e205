// Powers.
#pragma once

#include <cmath>

#include "kernels/formulas/formula.h"
#include "kernels/math.h"

namespace gradus::ops {

// Integers wrap around, as in multiplication.
template <class T>
GRADUS_INLINE T integer_power(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) return base == 1 ? 1 : base == T(-1) ? ((exponent & 1) != 0 ? -1 : 1) : 0;
  }
  T result = 1;
  for (T rest = exponent; rest != 0; rest = static_cast<T>(rest >> 1)) {
    if ((rest & 1) != 0) result = wrapping_mul(result, base);
    base = wrapping_mul(base, base);
  }
  return result;
}

struct PowNumber {
  static constexpr const char* name = "pow";
  static constexpr Types types = Types::numeric;
  double exponent;
  std::int64_t integer = 0;  // the exponent of integers
  template <class T>
  GRADUS_INLINE T f(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return math::pow(x, static_cast<T>(exponent));
    } else {
      T result = 1;
      for (std::int64_t rest = integer; rest != 0; rest >>= 1) {
        if ((rest & 1) != 0) result = wrapping_mul(result, x);
        x = wrapping_mul(x, x);
      }
      return result;
    }
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return static_cast<T>(exponent) * math::pow(x, static_cast<T>(exponent - 1));
  }
  template <class X>
  X d2(const X& x) const {
    return pow(x, exponent - 2) * (exponent * (exponent - 1));
  }
};

// x to the power 0 is 1 everywhere, at 0 and NaN too, and its derivative 0.
struct PowZero {
  static constexpr const char* name = "pow";
  template <class T>
  GRADUS_INLINE T f(T) const {
    return 1;
  }
};

struct PowOne {
  static constexpr const char* name = "pow";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x;
  }
  template <class T>
  GRADUS_INLINE T df(T) const {
    return 1;
  }
};

struct Cube {
  static constexpr const char* name = "pow";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x * x * x;
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 3 * x * x;
  }
  template <class X>
  X d2(const X& x) const {
    return x * 6;
  }
};

struct Pow {
  static constexpr const char* name = "pow";
  static constexpr Types types = Types::numeric;
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return math::pow(a, b);
    } else {
      return integer_power(a, b);
    }
  }
  // Both derivatives are 0 where the formula would give 0 * inf: at an exponent of 0, and at a base of 0.
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    return where(b == 0, number(0.0, g), g * (b * pow(a, b - 1)));
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return where(logical_and(a == 0, b >= 0), number(0.0, g), g * (pow(a, b) * log(a)));
  }
};

}  // namespace gradus::ops
