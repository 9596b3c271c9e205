// Formulas of gradus/ops/activation.h.
#pragma once

#include "kernels/formulas/activation.h"

namespace gradus::ops {

// ELU with a factor for the result and one for the exponent: what selu and celu are.
struct ScaledElu {
  double alpha, scale, inner;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return positive_part(x) * static_cast<T>(scale) +
           static_cast<T>(alpha * scale) * math::expm1(negative_part(x) * static_cast<T>(inner));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T e = static_cast<T>(alpha * scale * inner) * math::exp(negative_part(x) * static_cast<T>(inner));
    return x <= 0 ? e : static_cast<T>(scale);
  }
  template <class X>
  X d2(const X& x) const {
    return where(x >= 0, number(0.0, x), exp(clamp(x, {}, 0) * inner) * (alpha * scale * inner * inner));
  }
};

struct Selu : ScaledElu {
  static constexpr const char* name = "selu";
};
struct Celu : ScaledElu {
  static constexpr const char* name = "celu";
};

struct Mish {
  static constexpr const char* name = "mish";
  template <class T>
  GRADUS_INLINE static T curve(T x) {
    return math::tanh(math::log1p(math::exp(x)));
  }
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x * curve(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T t = curve(x);
    return t + x * logistic(x) * (1 - t * t);
  }
  template <class X>
  X d2(const X& x) const {
    const X t = tanh(softplus(x)), s = sigmoid(x);
    return (1 - square(t)) * s * (2 + x * (1 - s) - x * s * t * 2);
  }
};

// min(max(x + 3, 0), 6); the order of arguments keeps a NaN.
template <class T>
GRADUS_INLINE T raised_ramp(T x) {
  const T y = positive_part(x + 3);
  return y > 6 ? T(6) : y;
}

struct Hardswish {
  static constexpr const char* name = "hardswish";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x * raised_ramp(x) / 6;
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T inside = x / 3 + T(0.5);
    return x <= -3 ? T(0) : x < 3 ? inside : T(1);
  }
  template <class X>
  X d2(const X& x) const {
    return where(abs(x) < 3, number(1.0 / 3, x), number(0.0, x));
  }
};

struct Hardsigmoid {
  static constexpr const char* name = "hardsigmoid";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return raised_ramp(x) / 6;
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return (x > -3) & (x < 3) ? T(1) / 6 : T(0);
  }
};

struct Softshrink {
  static constexpr const char* name = "softshrink";
  double lambd;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    const T l = static_cast<T>(lambd);
    return x > l ? x - l : x < -l ? x + l : x * 0;  // NaN stays
  }
  template <class T>
  GRADUS_INLINE bool df(T x) const {
    return !((x >= -static_cast<T>(lambd)) & (x <= static_cast<T>(lambd)));
  }
};

struct Hardshrink {
  static constexpr const char* name = "hardshrink";
  double lambd;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return df(x) ? x : T(0);
  }
  template <class T>
  GRADUS_INLINE bool df(T x) const {
    return !((x >= -static_cast<T>(lambd)) & (x <= static_cast<T>(lambd)));
  }
};

struct Threshold {
  static constexpr const char* name = "threshold";
  static constexpr Types types = Types::numeric;
  PlainScalar threshold, value;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x <= threshold.as<T>() ? value.as<T>() : x;
  }
  template <class T>
  GRADUS_INLINE bool df(T x) const {
    return !(x <= threshold.as<T>());
  }
};

// a sigmoid(b)
struct Gated {
  static constexpr const char* name = "glu";
  static constexpr Uses da_uses{.b = true}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    return a / (1 + math::exp(-b));
  }
  template <class X>
  X da(const X& g, const X&, const X& b) const {
    return g * sigmoid(b);
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    const X s = sigmoid(b);
    return g * a * s * (1 - s);
  }
};

}  // namespace gradus::ops
