// Functions of two with logarithms, logit, and the length of two sides.
#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/formulas/formula.h"
#include "kernels/math.h"

namespace gradus::ops {

// log(exp(a) + exp(b)), or the same to base 2.
template <bool base2>
struct LogAddExp {
  static constexpr const char* name = base2 ? "logaddexp2" : "logaddexp";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses = da_uses;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    constexpr T unit = base2 ? static_cast<T>(std::numbers::ln2) : T(1);
    // Two infinities of one sign have no difference.
    const T apart = a == b ? T(0) : -std::abs(a - b);
    return (a > b ? a : b) + math::log1p(math::exp(apart * unit)) / unit;
  }
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    if constexpr (base2) return g / (1 + pow(2.0, b - a));
    return g / (1 + exp(b - a));
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return da(g, b, a);
  }
};

struct XLogY {
  static constexpr const char* name = "xlogy";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses = da_uses;
  template <class T>
  GRADUS_INLINE T f(T x, T y) const {
    const T product = x * math::log(y);
    return y != y ? y : x == 0 ? T(0) : product;
  }
  template <class X>
  X da(const X& g, const X& x, const X& y) const {
    return where(logical_and(x == 0, y <= 0), number(0.0, g), xlogy(g, y));
  }
  template <class X>
  X db(const X& g, const X& x, const X& y) const {
    return g * x / y;
  }
};

struct Logit {
  static constexpr const char* name = "logit";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return math::log(x / (1 - x));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T slope = 1 / (x * (1 - x));
    return (x < 0) | (x > 1) ? std::numeric_limits<T>::quiet_NaN() : slope;
  }
  template <class X>
  X d2(const X& x) const {
    return (x * 2 - 1) / square(x * (1 - x));
  }
};

// Of numbers up to 1, as the squares of huge and tiny ones are beyond the type.
struct Hypot {
  static constexpr const char* name = "hypot";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses = da_uses;
  template <class T>
  GRADUS_INLINE T f(T x, T y) const {
    constexpr T most = std::numeric_limits<T>::max();
    const T a = std::abs(x), b = std::abs(y);
    const T longer = a > b ? a : b, shorter = a > b ? b : a;
    const T ratio = longer == 0 ? shorter : shorter / longer;
    const T length = longer * std::sqrt(1 + ratio * ratio);
    return (a > most) | (b > most) ? std::numeric_limits<T>::infinity() : length;
  }
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    return g * (a / hypot(a, b));
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return g * (b / hypot(a, b));
  }
};

}  // namespace gradus::ops
