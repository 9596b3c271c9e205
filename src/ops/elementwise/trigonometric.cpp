// sin, cos, tan, atan, tanh, erf.
#include <gradus/ops.h>

#include <cmath>
#include <numbers>

#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

struct Sin {
  static constexpr const char* name = "sin";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return std::sin(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return std::cos(x);
  }
  Tensor d2(const Tensor& x) const { return -sin(x); }
};

struct Cos {
  static constexpr const char* name = "cos";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return std::cos(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return -std::sin(x);
  }
  Tensor d2(const Tensor& x) const { return -cos(x); }
};

struct Tan {
  static constexpr const char* name = "tan";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return std::tan(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return 1 + y * y;
  }
  Tensor d2(const Tensor& y) const { return y * 2; }
};

struct Atan {
  static constexpr const char* name = "atan";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return std::atan(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 1 / (1 + x * x);
  }
  Tensor d2(const Tensor& x) const { return x * -2 / square(square(x) + 1); }
};

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return std::tanh(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return 1 - y * y;
  }
  Tensor d2(const Tensor& y) const { return y * -2; }
};

struct Erf {
  static constexpr const char* name = "erf";
  static constexpr double kScale = 2 * std::numbers::inv_sqrtpi;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return std::erf(x);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return static_cast<T>(kScale) * std::exp(-x * x);
  }
  Tensor d2(const Tensor& x) const { return exp(-square(x)) * x * (-2 * kScale); }
};

}  // namespace

Tensor sin(const Tensor& x) { return unary(Sin{}, x); }
Tensor cos(const Tensor& x) { return unary(Cos{}, x); }
Tensor tan(const Tensor& x) { return unary(Tan{}, x); }
Tensor atan(const Tensor& x) { return unary(Atan{}, x); }
Tensor tanh(const Tensor& x) { return unary(Tanh{}, x); }
Tensor erf(const Tensor& x) { return unary(Erf{}, x); }

}  // namespace gradus
