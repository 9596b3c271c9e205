// neg, abs, sign, and rounding to integers.
#pragma once

#include <cmath>

#include "kernels/formulas/formula.h"

namespace gradus::ops {

struct Neg {
  static constexpr const char* name = "neg";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return wrapping_neg(x);
  }
  template <class T>
  GRADUS_INLINE T df(T) const {
    return -1;
  }
};

struct Sign {
  static constexpr const char* name = "sign";
  static constexpr Types types = Types::all;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return static_cast<T>((x > 0) - (x < 0));
  }
};

struct Abs {
  static constexpr const char* name = "abs";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::abs(x);
    } else {
      return x < 0 ? wrapping_neg(x) : x;
    }
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return Sign{}.f(x);
  }
};

// Integers are whole already.
struct Floor {
  static constexpr const char* name = "floor";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::floor(x);
    return x;
  }
};

struct Ceil {
  static constexpr const char* name = "ceil";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::ceil(x);
    return x;
  }
};

struct Round {
  static constexpr const char* name = "round";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::nearbyint(x);
    return x;
  }
};

}  // namespace gradus::ops
