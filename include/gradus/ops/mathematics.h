// More element-wise functions, with PyTorch's names, argument order and defaults. Integers become float32 unless
// something else is said. Errors are within a few units in the last place; those of erfc, erfinv and the gamma
// function are those of float64 for every type.
#pragma once

#include <optional>
#include <string_view>

#include <gradus/ops.h>
#include <gradus/ops/further.h>

namespace gradus {

// --- angles and hyperbolic functions
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);
Tensor atanh(const Tensor& x);
Tensor deg2rad(const Tensor& x);
Tensor rad2deg(const Tensor& x);
Tensor sinc(const Tensor& x);                    // sin(pi x) / (pi x), and 1 at 0
Tensor hypot(const Tensor& a, const Tensor& b);  // sqrt(a^2 + b^2) without overflow
inline Tensor arcsin(const Tensor& x) { return asin(x); }
inline Tensor arccos(const Tensor& x) { return acos(x); }
inline Tensor arctan(const Tensor& x) { return atan(x); }
inline Tensor arcsinh(const Tensor& x) { return asinh(x); }
inline Tensor arccosh(const Tensor& x) { return acosh(x); }
inline Tensor arctanh(const Tensor& x) { return atanh(x); }
inline Tensor arctan2(const Tensor& y, const Tensor& x) { return atan2(y, x); }

// --- exponentials and logarithms
Tensor exp2(const Tensor& x);
Tensor logaddexp(const Tensor& a, const Tensor& b);   // log(exp(a) + exp(b))
Tensor logaddexp2(const Tensor& a, const Tensor& b);  // log2(2^a + 2^b)
// log(x / (1 - x)); with eps, of x clamped to [eps, 1 - eps].
Tensor logit(const Tensor& x, std::optional<double> eps = {});
Tensor xlogy(const Tensor& x, const Tensor& y);  // x log(y), and 0 where x is 0
Tensor xlogy(const Tensor& x, const Scalar& y);
Tensor xlogy(const Scalar& x, const Tensor& y);
Tensor float_power(const Tensor& a, const Tensor& exponent);  // in float64
Tensor float_power(const Tensor& a, const Scalar& exponent);
Tensor float_power(const Scalar& a, const Tensor& exponent);

// --- special functions
Tensor erfc(const Tensor& x);    // 1 - erf(x)
Tensor erfinv(const Tensor& x);  // the inverse of erf
Tensor lgamma(const Tensor& x);  // log |gamma(x)|
Tensor digamma(const Tensor& x);
Tensor polygamma(std::int64_t n, const Tensor& x);  // the n-th derivative of digamma

// --- parts of a number; integers stay integers
Tensor trunc(const Tensor& x);
Tensor frac(const Tensor& x);                   // x - trunc(x)
Tensor fmod(const Tensor& a, const Tensor& b);  // with the sign of the dividend; remainder has the divisor's
Tensor fmod(const Tensor& a, const Scalar& b);
Tensor copysign(const Tensor& magnitude, const Tensor& sign);
Tensor copysign(const Tensor& magnitude, const Scalar& sign);
Tensor signbit(const Tensor& x);  // bool: whether the sign bit is set, also of -0 and of a NaN
inline Tensor fix(const Tensor& x) { return trunc(x); }

// --- arithmetic
// Division, rounded towards zero with "trunc" and down with "floor". Integers stay integers.
Tensor div(const Tensor& a, const Tensor& b, std::string_view rounding_mode);
Tensor div(const Tensor& a, const Scalar& b, std::string_view rounding_mode);
Tensor addcmul(const Tensor& input, const Tensor& a, const Tensor& b,
               const Scalar& value = 1);  // input + value * a * b
Tensor addcdiv(const Tensor& input, const Tensor& a, const Tensor& b,
               const Scalar& value = 1);  // input + value * a / b
// start + weight * (end - start), element by element; all of one type (DtypeError).
Tensor lerp(const Tensor& start, const Tensor& end, const Tensor& weight);

inline Tensor subtract(const Tensor& a, const Tensor& b, const Scalar& alpha = 1) { return sub(a, b, alpha); }
inline Tensor subtract(const Tensor& a, const Scalar& b) { return sub(a, b); }
inline Tensor multiply(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor multiply(const Tensor& a, const Scalar& b) { return mul(a, b); }
inline Tensor divide(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor divide(const Tensor& a, const Scalar& b) { return div(a, b); }
inline Tensor divide(const Tensor& a, const Tensor& b, std::string_view rounding_mode) {
  return div(a, b, rounding_mode);
}
inline Tensor divide(const Tensor& a, const Scalar& b, std::string_view rounding_mode) {
  return div(a, b, rounding_mode);
}
inline Tensor true_divide(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor true_divide(const Tensor& a, const Scalar& b) { return div(a, b); }
inline Tensor absolute(const Tensor& x) { return abs(x); }
inline Tensor negative(const Tensor& x) { return neg(x); }
inline Tensor clip(const Tensor& x, std::optional<double> min, std::optional<double> max = {}) {
  return clamp(x, min, max);
}

inline Tensor clamp_min(const Tensor& x, double min) { return clamp(x, min); }
inline Tensor clamp_max(const Tensor& x, double max) { return clamp(x, {}, max); }

}  // namespace gradus
