// Inverses of sine and cosine, and hyperbolic functions with their inverses. They are made of the functions of
// kernels/math.h, so that loops run on whole vectors and portable mode has the same bits everywhere.
#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/formulas/formula.h"
#include "kernels/math.h"

namespace gradus::ops {

// From here on exp(-x) is lost beside exp(x).
inline constexpr int kHyperbolicFar = 20;
// From here on 1 is lost beside x * x; squares are still within float32.
inline constexpr float kSquareFar = 0x1p28f;

template <class T>
GRADUS_INLINE T half_of_exp(T a) {  // exp(a) / 2, also where exp(a) is beyond the type
  const T root = math::exp(a * T(0.5));
  return T(0.5) * root * root;
}

template <class T>
GRADUS_INLINE T sinh_of(T x) {
  const T a = std::abs(x), e = math::expm1(a);
  const T near = T(0.5) * (e + e / (e + 1));
  return std::copysign(a < kHyperbolicFar ? near : half_of_exp(a), x);
}

template <class T>
GRADUS_INLINE T cosh_of(T x) {
  const T a = std::abs(x), e = math::exp(a);
  const T near = T(0.5) * e + T(0.5) / e;
  return a < kHyperbolicFar ? near : half_of_exp(a);
}

struct Asin {
  static constexpr const char* name = "asin";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::atan(x / std::sqrt((1 - x) * (1 + x)));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / std::sqrt((1 - x) * (1 + x));
  }
  template <class X>
  X d2(const X& x) const {
    const X rest = 1 - square(x);
    return x / (rest * sqrt(rest));
  }
};

struct Acos {
  static constexpr const char* name = "acos";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return 2 * math::atan(std::sqrt((1 - x) / (1 + x)));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return -1 / std::sqrt((1 - x) * (1 + x));
  }
  template <class X>
  X d2(const X& x) const {
    const X rest = 1 - square(x);
    return -x / (rest * sqrt(rest));
  }
};

struct Sinh {
  static constexpr const char* name = "sinh";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return sinh_of(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return cosh_of(x);
  }
  template <class X>
  X d2(const X& x) const {
    return sinh(x);
  }
};

struct Cosh {
  static constexpr const char* name = "cosh";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return cosh_of(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return sinh_of(x);
  }
  template <class X>
  X d2(const X& x) const {
    return cosh(x);
  }
};

struct Asinh {
  static constexpr const char* name = "asinh";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    const T a = std::abs(x), square = a * a;
    const T near = math::log1p(a + square / (1 + std::sqrt(square + 1)));
    const T far = math::log(a) + static_cast<T>(std::numbers::ln2);
    return std::copysign(a > kSquareFar ? far : near, x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / std::sqrt(x * x + 1);
  }
  template <class X>
  X d2(const X& x) const {
    const X sum = square(x) + 1;
    return -x / (sum * sqrt(sum));
  }
};

struct Acosh {
  static constexpr const char* name = "acosh";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    const T above = x - 1;
    const T near = math::log1p(above + std::sqrt(above * (above + 2)));
    const T far = math::log(x) + static_cast<T>(std::numbers::ln2);
    return x < 1 ? std::numeric_limits<T>::quiet_NaN() : x > kSquareFar ? far : near;
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / std::sqrt(x * x - 1);
  }
  template <class X>
  X d2(const X& x) const {
    const X rest = square(x) - 1;
    return -x / (rest * sqrt(rest));
  }
};

struct Atanh {
  static constexpr const char* name = "atanh";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    const T a = std::abs(x);
    return std::copysign(T(0.5) * math::log1p(2 * a / (1 - a)), x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / ((1 - x) * (1 + x));
  }
  template <class X>
  X d2(const X& x) const {
    return x * 2 / square(1 - square(x));
  }
};

}  // namespace gradus::ops
