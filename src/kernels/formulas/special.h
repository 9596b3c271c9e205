// erfc, erfinv, and the gamma function's logarithm and its derivatives. All compute in float64; their errors are a few
// units in its last place, for lgamma up to 1e-14 in all near its zeros at 1 and 2.
#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/formulas/formula.h"
#include "kernels/math.h"

namespace gradus::ops {

// The rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of
// Computation 23 (1969).
GRADUS_INLINE double erfc_of(double x) {
  const double a = std::abs(x);
  if (a <= 0.46875) return 1 - math::erf(x);
  if (a > 27) return x < 0 ? 2 : 0;
  double ratio;
  if (a <= 4) {
    constexpr double p[] = {2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594,
                            6.61191906371416295e1,  2.98635138197400131e2,  8.81952221241769090e2,
                            1.71204761263407058e3,  2.05107837782607147e3,  1.23033935479799725e3};
    constexpr double q[] = {1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
                            3.29079923573346963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3};
    double above = p[0], below = 1;
    for (int i = 1; i < 9; ++i) above = above * a + p[i];
    for (double c : q) below = below * a + c;
    ratio = above / below;
  } else {
    constexpr double p[] = {1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
                            1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4};
    constexpr double q[] = {2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
                            2.33520497626869185e-3};
    const double z = 1 / (a * a);
    double above = p[0], below = 1;
    for (int i = 1; i < 6; ++i) above = above * z + p[i];
    for (double c : q) below = below * z + c;
    ratio = (std::numbers::inv_sqrtpi - z * above / below) / a;
  }
  // exp(-a * a), with the square in two parts, the first of which is exact.
  const double head = std::floor(a * 16) / 16;
  const double y = ratio * math::exp(-head * head) * math::exp(-(a - head) * (a + head));
  return x < 0 ? 2 - y : y;
}

struct Erfc {
  static constexpr const char* name = "erfc";
  static constexpr double kScale = 2 * std::numbers::inv_sqrtpi;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return static_cast<T>(erfc_of(static_cast<double>(x)));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return static_cast<T>(-kScale) * math::exp(-x * x);
  }
  template <class X>
  X d2(const X& x) const {
    return exp(-square(x)) * x * (2 * kScale);
  }
};

// M. Giles, "Approximating the erfinv function", GPU Computing Gems (2011), to the accuracy of float32; then steps of
// Halley's method.
GRADUS_INLINE double erfinv_of(double y) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double a = std::abs(y);
  if (!(a < 1)) return a == 1 ? std::copysign(inf, y) : std::numeric_limits<double>::quiet_NaN();
  constexpr double center[] = {2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                               -0.00125372503, -0.00417768164, 0.246640727,    1.50140941};
  constexpr double tail[] = {-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                             -0.0076224613,   0.00943887047,  1.00167406,    2.83297682};
  const double w = -math::log((1 - a) * (1 + a));
  const double t = w < 5 ? w - 2.5 : std::sqrt(w) - 3;
  double p = 0;
  for (int i = 0; i < 9; ++i) p = p * t + (w < 5 ? center[i] : tail[i]);
  double x = p * a;
  for (int step = 0; step < 3; ++step) {
    const double off = a < 0.5 ? math::erf(x) - a : (1 - a) - erfc_of(x);
    const double u = off / (2 * std::numbers::inv_sqrtpi * math::exp(-x * x));
    x -= u / (1 + x * u);
  }
  return std::copysign(x, y);
}

struct Erfinv {
  static constexpr const char* name = "erfinv";
  static constexpr bool from_output = true;
  static constexpr double kScale = 0.5 / std::numbers::inv_sqrtpi;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return static_cast<T>(erfinv_of(static_cast<double>(x)));
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return static_cast<T>(kScale) * math::exp(y * y);
  }
  template <class X>
  X d2(const X& y) const {
    return exp(square(y)) * y * (2 * kScale);
  }
};

// Stirling's series, from 10 on; below, the recurrence leads there.
inline constexpr int kSeriesFrom = 10;

// How far x is from the nearest integer, exactly.
GRADUS_INLINE double from_nearest(double x) { return x - std::nearbyint(x); }

GRADUS_INLINE double lgamma_of(double x) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  if (std::abs(x) == inf) return inf;
  if (x == 1 || x == 2) return 0;  // exactly, where the series below is off by its rounding
  const bool reflected = x < 0;
  double to_add = 0;
  if (reflected) {
    const double off = from_nearest(x);
    if (off == 0) return inf;
    to_add = math::log(std::numbers::pi / math::sin(std::numbers::pi * std::abs(off)));
    x = 1 - x;
  }
  double product = 1;
  for (; x < kSeriesFrom; x += 1) product *= x;
  constexpr double terms[] = {1.0 / 156, -691.0 / 360360, 1.0 / 1188, -1.0 / 1680, 1.0 / 1260, -1.0 / 360, 1.0 / 12};
  const double z = 1 / (x * x), log_x = math::log(x);
  double series = 0;
  for (double c : terms) series = series * z + c;
  constexpr double kHalfLogTwoPi = 0.91893853320467274178;
  const double y = x * (log_x - 1) - 0.5 * log_x + kHalfLogTwoPi + series / x - math::log(product);
  return reflected ? to_add - y : y;
}

GRADUS_INLINE double digamma_of(double x) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  if (x == 0) return std::copysign(inf, -x);
  double y = 0;
  if (x < 0) {
    const double off = from_nearest(x);
    if (off == 0 || x == -inf) return std::numeric_limits<double>::quiet_NaN();
    y = -std::numbers::pi / math::tan(std::numbers::pi * off);
    x = 1 - x;
  }
  for (; x < kSeriesFrom; x += 1) y -= 1 / x;
  constexpr double terms[] = {1.0 / 12, -691.0 / 32760, 1.0 / 132, -1.0 / 240, 1.0 / 252, -1.0 / 120, 1.0 / 12};
  const double z = 1 / (x * x);
  double series = 0;
  for (double c : terms) series = series * z + c;
  return y + math::log(x) - 0.5 / x - series * z;
}

// The sum of (q + k)^-s over k = 0, 1, ... for q > 0: some terms, and Euler's and Maclaurin's formula for the rest.
GRADUS_INLINE double zeta_of(int s, double q) {
  double sum = 0;
  for (; q < kSeriesFrom + s; q += 1) sum += math::pow(q, -static_cast<double>(s));
  // The even numbers of Bernoulli, each over the factorial of its index.
  constexpr double terms[] = {1.0 / 12,          -1.0 / 720,
                              1.0 / 30240,       -1.0 / 1209600,
                              1.0 / 47900160,    -691.0 / 1307674368000.0,
                              1.0 / 74724249600, -3617.0 / 10670622842880000.0};
  const double last = math::pow(q, -static_cast<double>(s));
  sum += last * q / (s - 1) + 0.5 * last;
  double factor = last * s / q;
  int next = s + 1;
  for (double c : terms) {
    sum += c * factor;
    factor *= next * (next + 1.0) / (q * q);
    next += 2;
  }
  return sum;
}

// For n >= 1.
GRADUS_INLINE double polygamma_of(int n, double x) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  if (x != x || x == -inf) return std::numeric_limits<double>::quiet_NaN();
  if (x == inf) return 0;
  double factorial = n % 2 == 0 ? -1 : 1;
  for (int i = 2; i <= n; ++i) factorial *= i;
  const int s = n + 1;
  if (x > 0) return factorial * zeta_of(s, x);
  const double off = from_nearest(x);
  if (off == 0) return inf * factorial;
  const double part = off < 0 ? 1 + off : off, rest = off < 0 ? -off : 1 - off;
  // All (part + k)^-s without those below x.
  const double sign = s % 2 == 0 ? 1 : -1;
  return factorial * (zeta_of(s, part) + sign * (zeta_of(s, rest) - zeta_of(s, 1 - x)));
}

struct Digamma {
  static constexpr const char* name = "digamma";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return static_cast<T>(digamma_of(static_cast<double>(x)));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return static_cast<T>(polygamma_of(1, static_cast<double>(x)));
  }
  template <class X>
  X d2(const X& x) const {
    return polygamma(2, x);
  }
};

struct Lgamma {
  static constexpr const char* name = "lgamma";
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return static_cast<T>(lgamma_of(static_cast<double>(x)));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return static_cast<T>(digamma_of(static_cast<double>(x)));
  }
  template <class X>
  X d2(const X& x) const {
    return polygamma(1, x);
  }
};

struct Polygamma {
  static constexpr const char* name = "polygamma";
  int n;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return static_cast<T>(polygamma_of(n, static_cast<double>(x)));
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return static_cast<T>(polygamma_of(n + 1, static_cast<double>(x)));
  }
  template <class X>
  X d2(const X& x) const {
    return polygamma(n + 2, x);
  }
};

}  // namespace gradus::ops
