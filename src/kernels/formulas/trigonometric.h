// sin, cos, tan, atan, tanh, erf; atan2.
#pragma once

#include <cmath>
#include <numbers>

#include "kernels/formulas/formula.h"
#include "kernels/math.h"

namespace gradus::ops {

struct Sin {
  static constexpr const char* name = "sin";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::sin(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return math::cos(x);
  }
  template <class X>
  X d2(const X& x) const {
    return -sin(x);
  }
};

struct Cos {
  static constexpr const char* name = "cos";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::cos(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return -math::sin(x);
  }
  template <class X>
  X d2(const X& x) const {
    return -cos(x);
  }
};

struct Tan {
  static constexpr const char* name = "tan";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::tan(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return 1 + y * y;
  }
  template <class X>
  X d2(const X& y) const {
    return y * 2;
  }
};

struct Atan {
  static constexpr const char* name = "atan";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::atan(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / (1 + x * x);
  }
  template <class X>
  X d2(const X& x) const {
    return x * -2 / square(square(x) + 1);
  }
};

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::tanh(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return 1 - y * y;
  }
  template <class X>
  X d2(const X& y) const {
    return y * -2;
  }
};

struct Erf {
  static constexpr const char* name = "erf";
  static constexpr double kScale = 2 * std::numbers::inv_sqrtpi;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::erf(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return static_cast<T>(kScale) * math::exp(-x * x);
  }
  template <class X>
  X d2(const X& x) const {
    return exp(-square(x)) * x * (-2 * kScale);
  }
};

struct Atan2 {
  static constexpr const char* name = "atan2";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses = da_uses;
  template <class T>
  GRADUS_INLINE T f(T y, T x) const {
    return math::atan2(y, x);
  }
  template <class X>
  X da(const X& g, const X& y, const X& x) const {
    return g * x * inverse_square(y, x);
  }
  template <class X>
  X db(const X& g, const X& y, const X& x) const {
    return -g * y * inverse_square(y, x);
  }

 private:
  // 0 at the origin, where there is no direction, as in PyTorch.
  template <class X>
  static X inverse_square(const X& y, const X& x) {
    const X square = y * y + x * x;
    return masked_fill(reciprocal(square), square == 0, 0);
  }
};

}  // namespace gradus::ops
