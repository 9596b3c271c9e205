// The non-linear functions between layers. Formulas avoid branches around calls, and overflow where it would give NaN.
#pragma once

#include <cmath>
#include <numbers>

#include "kernels/formulas/formula.h"
#include "kernels/formulas/rectifiers.h"
#include "kernels/math.h"

namespace gradus::ops {

// An overflowing exponential gives 1 / inf = 0, which is right.
template <class T>
GRADUS_INLINE T logistic(T x) {
  return 1 / (1 + math::exp(-x));
}

// The order of arguments keeps a NaN.
template <class T>
GRADUS_INLINE T negative_part(T x) {
  return x > 0 ? T(0) : x;
}

// The result says as well as the input whether that lay between the bounds, which are of x's type.
struct Hardtanh {
  static constexpr const char* name = "hardtanh";
  static constexpr Types types = Types::numeric;
  static constexpr bool from_output = true;
  double min, max;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    const T raised = x < static_cast<T>(min) ? static_cast<T>(min) : x;
    return raised > static_cast<T>(max) ? static_cast<T>(max) : raised;
  }
  template <class T>
  GRADUS_INLINE bool df(T y) const {
    return !((y <= static_cast<T>(min)) | (y >= static_cast<T>(max)));
  }
};

struct Elu {
  static constexpr const char* name = "elu";
  double alpha;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return positive_part(x) + static_cast<T>(alpha) * math::expm1(negative_part(x));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T e = static_cast<T>(alpha) * math::exp(negative_part(x));
    return x <= 0 ? e : T(1);
  }
  template <class X>
  X d2(const X& x) const {
    return where(x >= 0, number(0.0, x), exp(clamp(x, {}, 0)) * alpha);
  }
};

struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return logistic(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return (1 - y) * y;
  }
  template <class X>
  X d2(const X& y) const {
    return 1 - y * 2;
  }
};

struct Silu {
  static constexpr const char* name = "silu";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x / (1 + math::exp(-x));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T s = logistic(x);
    return s * (1 + x * (1 - s));
  }
  template <class X>
  X d2(const X& x) const {
    const X s = sigmoid(x);
    return s * (1 - s) * (2 + x * (1 - s * 2));
  }
};

struct LogSigmoid {
  static constexpr const char* name = "logsigmoid";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return negative_part(x) - math::log1p(math::exp(-std::abs(x)));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / (1 + math::exp(x));
  }
  template <class X>
  X d2(const X& x) const {
    const X s = sigmoid(x);
    return s * (s - 1);
  }
};

// log(1 + exp(beta x)) / beta, and x itself beyond the threshold, where the two are equal in floating point.
struct Softplus {
  static constexpr const char* name = "softplus";
  double beta, threshold;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    const T z = x * static_cast<T>(beta);
    const T soft = math::log1p(math::exp(z)) / static_cast<T>(beta);
    return z > static_cast<T>(threshold) ? x : soft;
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T z = x * static_cast<T>(beta);
    const T soft = logistic(z);
    return z > static_cast<T>(threshold) ? T(1) : soft;
  }
  template <class X>
  X d2(const X& x) const {
    const X s = sigmoid(x * beta);
    return where(x * beta > threshold, number(0.0, x), s * (1 - s) * beta);
  }
};

// x times the normal distribution's cumulative probability at x.
struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr double kDensity = std::numbers::inv_sqrtpi / std::numbers::sqrt2;  // 1 / sqrt(2 pi)
  template <class T>
  GRADUS_INLINE static T cumulative(T x) {
    return T(0.5) * (1 + math::erf(x * static_cast<T>(1 / std::numbers::sqrt2)));
  }
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x * cumulative(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return cumulative(x) + x * static_cast<T>(kDensity) * math::exp(T(-0.5) * x * x);
  }
  template <class X>
  X d2(const X& x) const {
    const X x2 = square(x);
    return exp(x2 * -0.5) * (2 - x2) * kDensity;
  }
};

// Hendrycks and Gimpel (2016): the same with a tanh in the place of erf.
struct GeluTanh {
  static constexpr const char* name = "gelu";
  static constexpr double kScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, kCubic = 0.044715;
  template <class T>
  GRADUS_INLINE static T curve(T x) {
    return math::tanh(static_cast<T>(kScale) * (x + static_cast<T>(kCubic) * x * x * x));
  }
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return T(0.5) * x * (1 + curve(x));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T t = curve(x);
    const T inner = static_cast<T>(kScale) * (1 + static_cast<T>(3 * kCubic) * x * x);
    return T(0.5) * (1 + t) + T(0.5) * x * (1 - t * t) * inner;
  }
  template <class X>
  X d2(const X& x) const {
    const X x2 = square(x);
    const X t = tanh(x * (1 + x2 * kCubic) * kScale);
    const X inner = (1 + x2 * (3 * kCubic)) * kScale;
    return (1 - square(t)) * (inner + x2 * (3 * kCubic * kScale) - x * t * square(inner));
  }
};

}  // namespace gradus::ops
