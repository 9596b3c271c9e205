// pow: a tensor to the power of a number or of another tensor.
#include <gradus/ops.h>

#include <cmath>

#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

// Integers wrap around, as in multiplication.
template <class T>
GRADUS_INLINE T integer_power(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) return base == 1 ? 1 : base == T(-1) ? ((exponent & 1) != 0 ? -1 : 1) : 0;
  }
  T result = 1;
  for (T rest = exponent; rest != 0; rest = static_cast<T>(rest >> 1)) {
    if ((rest & 1) != 0) result = wrapping_mul(result, base);
    base = wrapping_mul(base, base);
  }
  return result;
}

struct PowNumber {
  static constexpr const char* name = "pow";
  static constexpr Types types = Types::numeric;
  double exponent;
  std::int64_t integer = 0;  // the exponent of integers
  template <class T>
  GRADUS_INLINE T f(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::pow(x, static_cast<T>(exponent));
    } else {
      T result = 1;
      for (std::int64_t rest = integer; rest != 0; rest >>= 1) {
        if ((rest & 1) != 0) result = wrapping_mul(result, x);
        x = wrapping_mul(x, x);
      }
      return result;
    }
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return static_cast<T>(exponent) * std::pow(x, static_cast<T>(exponent - 1));
  }
  Tensor d2(const Tensor& x) const { return pow(x, exponent - 2) * (exponent * (exponent - 1)); }
};

// x to the power 0 is 1 everywhere, at 0 and NaN too, and its derivative 0.
struct PowZero {
  static constexpr const char* name = "pow";
  template <class T>
  GRADUS_INLINE T f(T) const {
    return 1;
  }
};

struct PowOne {
  static constexpr const char* name = "pow";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x;
  }
  template <class T>
  GRADUS_INLINE T df(T) const {
    return 1;
  }
};

struct Cube {
  static constexpr const char* name = "pow";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x * x * x;
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return 3 * x * x;
  }
  Tensor d2(const Tensor& x) const { return x * 6; }
};

struct Pow {
  static constexpr const char* name = "pow";
  static constexpr Types types = Types::numeric;
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::pow(a, b);
    } else {
      return integer_power(a, b);
    }
  }
  // Both derivatives are 0 where the formula would give 0 * inf: at an exponent of 0, and at a base of 0.
  Tensor da(const Tensor& g, const Tensor& a, const Tensor& b) const {
    return where(b == 0, number(0.0, g), g * (b * pow(a, b - 1)));
  }
  Tensor db(const Tensor& g, const Tensor& a, const Tensor& b) const {
    return where(logical_and(a == 0, b >= 0), number(0.0, g), g * (pow(a, b) * log(a)));
  }
};

}  // namespace

Tensor pow(const Tensor& a, const Scalar& exponent) {
  const Dtype dtype = promote_scalar(a.dtype(), exponent);
  if (is_integral(dtype)) {
    const auto integer = exponent.to<std::int64_t>();
    if (integer < 0) {
      throw ValueError("pow: integers to a negative integer power are not integers, got exponent " +
                       std::to_string(integer) + " and a tensor of type " + to_string(a.dtype()));
    }
    check_fits("pow", exponent, dtype);
    // Truth values to a truth value: only false to the power true is false.
    if (dtype == kBool) return integer == 0 ? ones_like(a) : a.clone();
    return unary(PowNumber{static_cast<double>(integer), integer}, a.to(dtype));
  }
  const Tensor x = a.to(dtype);
  const double e = exponent.to<double>();
  if (e == 2) return square(x);
  if (e == 0.5) return sqrt(x);
  if (e == 1) return unary(PowOne{}, x);
  if (e == -1) return reciprocal(x);
  if (e == 3) return unary(Cube{}, x);
  if (e == -0.5) return rsqrt(x);
  if (e == 0) return unary(PowZero{}, x);
  return unary(PowNumber{e}, x);
}

Tensor pow(const Tensor& a, const Tensor& exponent) { return binary(Pow{}, a, exponent); }

}  // namespace gradus
