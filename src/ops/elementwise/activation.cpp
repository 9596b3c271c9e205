// The non-linear functions between layers. Formulas avoid branches around calls, and overflow where it would give NaN.
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/rectifiers.h"

namespace gradus {

using namespace ops;

namespace {

// An overflowing exponential gives 1 / inf = 0, which is right.
template <class T>
GRADUS_INLINE T logistic(T x) {
  return 1 / (1 + std::exp(-x));
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

Hardtanh make_hardtanh(Dtype dtype, double min, double max) {
  if (!(min <= max)) {
    throw ValueError("hardtanh: min_val must be at most max_val, got " + std::to_string(min) + " and " +
                     std::to_string(max));
  }
  if (dtype == kFloat32 || dtype == kFloat64) return {min, max};
  if (is_integral(dtype)) {
    const double least = dtype == kUInt8 ? 0 : std::numeric_limits<std::int32_t>::min();
    const double most = dtype == kUInt8 ? 255 : std::numeric_limits<std::int32_t>::max();
    if (std::trunc(min) < least || max > most) {
      throw ValueError("hardtanh: min_val and max_val must be numbers that " + std::string(to_string(dtype)) +
                       " holds, got " + std::to_string(min) + " and " + std::to_string(max));
    }
    return {std::trunc(min), std::trunc(max)};
  }
  const auto rounded = [&](double bound) { return Tensor::scalar(bound, kFloat64).to(dtype).item<double>(); };
  return {rounded(min), rounded(max)};
}

struct Elu {
  static constexpr const char* name = "elu";
  double alpha;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return positive_part(x) + static_cast<T>(alpha) * std::expm1(negative_part(x));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T e = static_cast<T>(alpha) * std::exp(negative_part(x));
    return x <= 0 ? e : T(1);
  }
  Tensor d2(const Tensor& x) const { return where(x >= 0, number(0.0, x), exp(clamp(x, {}, 0)) * alpha); }
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
  Tensor d2(const Tensor& y) const { return 1 - y * 2; }
};

struct Silu {
  static constexpr const char* name = "silu";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x / (1 + std::exp(-x));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T s = logistic(x);
    return s * (1 + x * (1 - s));
  }
  Tensor d2(const Tensor& x) const {
    const Tensor s = sigmoid(x);
    return s * (1 - s) * (2 + x * (1 - s * 2));
  }
};

struct LogSigmoid {
  static constexpr const char* name = "logsigmoid";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return negative_part(x) - std::log1p(std::exp(-std::abs(x)));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / (1 + std::exp(x));
  }
  Tensor d2(const Tensor& x) const {
    const Tensor s = sigmoid(x);
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
    const T soft = std::log1p(std::exp(z)) / static_cast<T>(beta);
    return z > static_cast<T>(threshold) ? x : soft;
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    const T z = x * static_cast<T>(beta);
    const T soft = logistic(z);
    return z > static_cast<T>(threshold) ? T(1) : soft;
  }
  Tensor d2(const Tensor& x) const {
    const Tensor s = sigmoid(x * beta);
    return where(x * beta > threshold, number(0.0, x), s * (1 - s) * beta);
  }
};

// x times the normal distribution's cumulative probability at x.
struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr double kDensity = std::numbers::inv_sqrtpi / std::numbers::sqrt2;  // 1 / sqrt(2 pi)
  template <class T>
  GRADUS_INLINE static T cumulative(T x) {
    return T(0.5) * (1 + std::erf(x * static_cast<T>(1 / std::numbers::sqrt2)));
  }
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x * cumulative(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return cumulative(x) + x * static_cast<T>(kDensity) * std::exp(T(-0.5) * x * x);
  }
  Tensor d2(const Tensor& x) const {
    const Tensor x2 = square(x);
    return exp(x2 * -0.5) * (2 - x2) * kDensity;
  }
};

// Hendrycks and Gimpel (2016): the same with a tanh in the place of erf.
struct GeluTanh {
  static constexpr const char* name = "gelu";
  static constexpr double kScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, kCubic = 0.044715;
  template <class T>
  GRADUS_INLINE static T curve(T x) {
    return std::tanh(static_cast<T>(kScale) * (x + static_cast<T>(kCubic) * x * x * x));
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
  Tensor d2(const Tensor& x) const {
    const Tensor x2 = square(x);
    const Tensor t = tanh(x * (1 + x2 * kCubic) * kScale);
    const Tensor inner = (1 + x2 * (3 * kCubic)) * kScale;
    return (1 - square(t)) * (inner + x2 * (3 * kCubic * kScale) - x * t * square(inner));
  }
};

}  // namespace

Tensor relu(const Tensor& x) { return unary(Relu{}, x); }
Tensor& Tensor::relu_() const { return unary_(Relu{}, self()); }
Tensor leaky_relu(const Tensor& x, double negative_slope) { return unary(LeakyRelu{negative_slope}, x); }
Tensor& leaky_relu_(Tensor& x, double negative_slope) {
  // Where the result says enough for backward, the input need not be copied.
  if (negative_slope >= 0) return unary_(LeakyReluOfResult{{negative_slope}}, x);
  return unary_(LeakyRelu{negative_slope}, x);
}
Tensor hardtanh(const Tensor& x, double min_val, double max_val) {
  return unary(make_hardtanh(x.dtype(), min_val, max_val), x);
}
Tensor& hardtanh_(Tensor& x, double min_val, double max_val) {
  return unary_(make_hardtanh(x.dtype(), min_val, max_val), x);
}
Tensor relu6(const Tensor& x) { return hardtanh(x, 0, 6); }
Tensor elu(const Tensor& x, double alpha) { return unary(Elu{alpha}, x); }
Tensor silu(const Tensor& x) { return unary(Silu{}, x); }
Tensor sigmoid(const Tensor& x) { return unary(Sigmoid{}, x); }
Tensor logsigmoid(const Tensor& x) { return unary(LogSigmoid{}, x); }
Tensor softplus(const Tensor& x, double beta, double threshold) {
  if (!(beta > 0)) throw ValueError("softplus: beta must be positive, got " + std::to_string(beta));
  return unary(Softplus{beta, threshold}, x);
}

Tensor gelu(const Tensor& x, std::string_view approximate) {
  if (approximate == "none") return unary(Gelu{}, x);
  if (approximate == "tanh") return unary(GeluTanh{}, x);
  throw ValueError("gelu: approximate must be none or tanh, got " + std::string(approximate));
}

}  // namespace gradus
