// add, mul, div, and division that rounds down.
#pragma once

#include <cmath>

#include "kernels/formulas/formula.h"

namespace gradus::ops {

struct Add {
  static constexpr const char* name = "add";
  static constexpr Types types = Types::all;
  static constexpr Uses da_uses{}, db_uses{};
  double alpha = 1;
  std::int64_t integer_alpha = 1;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a + static_cast<T>(alpha) * b;
    } else {
      return wrapping_add(a, wrapping_mul(static_cast<T>(integer_alpha), b));
    }
  }
  template <class X>
  X da(const X& g, const auto&, const auto&) const {
    return g;
  }
  template <class X>
  X db(const X& g, const auto&, const auto&) const {
    return alpha == 1 ? g : g * alpha;
  }
};

struct Mul {
  static constexpr const char* name = "mul";
  static constexpr Types types = Types::all;
  static constexpr Uses da_uses{.b = true}, db_uses{.a = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    return wrapping_mul(a, b);
  }
  template <class X>
  X da(const X& g, const auto&, const auto& b) const {
    return g * b;
  }
  template <class X>
  X db(const X& g, const auto& a, const auto&) const {
    return g * a;
  }
};

struct Div {
  static constexpr const char* name = "div";
  static constexpr Uses da_uses{.b = true}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    return a / b;
  }
  template <class X>
  X da(const X& g, const auto&, const auto& b) const {
    return g / b;
  }
  template <class X>
  X db(const X& g, const auto& a, const auto& b) const {
    return -g * (a / b / b);
  }
};

struct Remainder {
  static constexpr const char* name = "remainder";
  static constexpr Types types = Types::numeric;
  static constexpr Uses da_uses{}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      const T rest = std::fmod(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    } else {
      if (std::is_signed_v<T> && wrapping_neg(b) == T(1)) return 0;  // the smallest integer by -1 overflows
      const T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    }
  }
  template <class X>
  X da(const X& g, const X&, const X&) const {
    return g;
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return -g * floor_divide(a, b);
  }
};

// As Python: exact where a / b rounds up to a whole number that it does not reach.
struct FloorDivide {
  static constexpr const char* name = "floor_divide";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (b == 0) return a / b;
      const T rest = std::fmod(a, b);
      T quotient = (a - rest) / b;
      if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
      if (quotient == 0) return std::copysign(T(0), a / b);
      const T whole = std::floor(quotient);
      return quotient - whole > T(0.5) ? whole + 1 : whole;
    } else {
      if (std::is_signed_v<T> && wrapping_neg(b) == T(1)) return wrapping_neg(a);
      const T quotient = static_cast<T>(a / b);
      return a % b != 0 && (a < 0) != (b < 0) ? static_cast<T>(quotient - 1) : quotient;
    }
  }
};

}  // namespace gradus::ops
