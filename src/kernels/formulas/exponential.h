// Roots, exponentials and logarithms.
#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/formulas/formula.h"
#include "kernels/math.h"

namespace gradus::ops {

struct Exp {
  static constexpr const char* name = "exp";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::exp(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return y;
  }
  template <class X>
  X d2(const X& y) const {
    return ones_like(y);
  }
};

struct Expm1 {
  static constexpr const char* name = "expm1";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::expm1(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return y + 1;
  }
  template <class X>
  X d2(const X& y) const {
    return ones_like(y);
  }
};

struct Log {
  static constexpr const char* name = "log";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::log(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / x;
  }
  template <class X>
  X d2(const X& x) const {
    return -reciprocal(square(x));
  }
};

struct Log1p {
  static constexpr const char* name = "log1p";
  template <class T>
  GRADUS_INLINE T f(T x) const {
#ifdef GRADUS_SLEEF
    // SLEEF's is infinite from 1e38 on, and 1e307; adding 1 changes nothing there.
    if (x > std::numeric_limits<T>::max() / 64) return math::log(x);
#endif
    return math::log1p(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / (x + 1);
  }
  template <class X>
  X d2(const X& x) const {
    return -reciprocal(square(x + 1));
  }
};

struct Log2 {
  static constexpr const char* name = "log2";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::log2(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / (x * std::numbers::ln2_v<T>);
  }
  template <class X>
  X d2(const X& x) const {
    return -reciprocal(square(x) * std::numbers::ln2);
  }
};

struct Log10 {
  static constexpr const char* name = "log10";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::log10(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / (x * std::numbers::ln10_v<T>);
  }
  template <class X>
  X d2(const X& x) const {
    return -reciprocal(square(x) * std::numbers::ln10);
  }
};

struct Sqrt {
  static constexpr const char* name = "sqrt";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return std::sqrt(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return 1 / (2 * y);
  }
  template <class X>
  X d2(const X& y) const {
    return reciprocal(square(y)) * -0.5;
  }
};

struct Rsqrt {
  static constexpr const char* name = "rsqrt";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return 1 / std::sqrt(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return T(-0.5) * y * y * y;
  }
  template <class X>
  X d2(const X& y) const {
    return square(y) * -1.5;
  }
};

struct Square {
  static constexpr const char* name = "square";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return wrapping_mul(x, x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 2 * x;
  }
  template <class X>
  X d2(const X& x) const {
    return full_like(x, 2);
  }
};

struct Reciprocal {
  static constexpr const char* name = "reciprocal";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return 1 / x;
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return -y * y;
  }
  template <class X>
  X d2(const X& y) const {
    return y * -2;
  }
};

}  // namespace gradus::ops
