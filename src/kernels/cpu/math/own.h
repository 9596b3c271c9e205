// Our own elementary functions: sums, products, quotients and bits, in an order that the compiler keeps (their user is
// compiled with -ffp-contract=off), so that all processors compute the same. In float64, for float32 too, whose results
// are then rounded once. The largest errors found, in units in the last place of float64: below 2; of tan, tanh and
// atan2 below 4; of pow 21, where the result is near the ends of the range.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/cpu/math/own_trigonometric.h"
#include "kernels/inline.h"

namespace gradus::cpu::own {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// log 2 in two parts: the product of the first and a number below 2^12 is exact.
inline constexpr double kLog2High = 0x1.62e42fefa3000p-1, kLog2Low = 0x1.3de6af278ece6p-42;
inline constexpr double kRootOfHalf = 0x1.6a09e667f3bcdp-1;

GRADUS_INLINE std::uint64_t bits(double x) { return std::bit_cast<std::uint64_t>(x); }

// 2^k for k in [-1022, 1023].
GRADUS_INLINE double power_of_two(std::int64_t k) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
}

// x = k log 2 + r with |r| at most log(2) / 2, and e^r - 1.
struct Exponent {
  std::int64_t k;
  double minus_one;

  GRADUS_INLINE explicit Exponent(double x, double more = 0) {
    constexpr double kRound = 0x1.8p52;  // after this sum the last bits are those of a whole number
    const double shifted = x * (1 / 0.69314718055994530942) + kRound, whole = shifted - kRound;
    k = static_cast<std::int64_t>(bits(shifted) - bits(kRound));
    const double r = ((x - whole * kLog2High) - whole * kLog2Low) + more;
    double sum = 1.0 / 6227020800;
    double factorial = 6227020800;
#pragma GCC unroll 11
    for (int n = 13; n > 2; --n) {
      factorial /= n;
      sum = 1 / factorial + r * sum;
    }
    minus_one = r + r * r * sum;
  }
};

// e^(x + more), of a small second part.
GRADUS_INLINE double exp(double x, double more = 0) {
  const double held = x > 710 ? 710 : x < -746 ? -746 : x;
  const Exponent e(held, more);
  // In two steps, of which the last alone rounds where the result is denormal.
  const std::int64_t half = ((e.k + 4096) >> 1) - 2048;
  return (1 + e.minus_one) * power_of_two(half) * power_of_two(e.k - half);
}

GRADUS_INLINE double expm1(double x) {
  const double held = x > 710 ? 710 : x < -50 ? -50 : x;
  const Exponent e(held);
  const double scale = power_of_two(e.k - 1), y = 2 * (scale * e.minus_one + (scale - 0.5));
  return std::abs(x) < 0x1p-54 ? x : y;
}

// x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), for x normal and positive.
struct Parts {
  double e, f;

  GRADUS_INLINE explicit Parts(double x) {
    const bool small = x < 0x1p-1022;
    const std::uint64_t all = bits(small ? x * 0x1p54 : x);
    const std::uint64_t shifted = ((all - bits(kRootOfHalf) + (std::uint64_t{1024} << 52)) >> 52) - 1024;
    f = std::bit_cast<double>(all - (shifted << 52)) - 1;
    e = static_cast<double>(static_cast<std::int32_t>(shifted)) - (small ? 54 : 0);
  }
};

// What log(1 + f) is beside its first terms: log(1 + f) = f - s (f - rest), s = f / (2 + f), by the series of artanh.
GRADUS_INLINE double log_of_rest(double z) {
  double rest = 2.0 / 25;
#pragma GCC unroll 11
  for (int k = 23; k >= 3; k -= 2) rest = 2.0 / k + z * rest;
  return z * rest;
}

GRADUS_INLINE double log_of_part(double f) {
  const double s = f / (2 + f);
  return f - s * (f - log_of_rest(s * s));
}

// y where log of x is defined and finite.
GRADUS_INLINE double where_log_is(double x, double y) {
  y = x < kInfinity ? y : x;
  y = x == 0 ? -kInfinity : y;
  return x < 0 ? kNaN : y;
}

GRADUS_INLINE double log(double x) {
  const Parts p(x);
  return where_log_is(x, p.e * kLog2High + (log_of_part(p.f) + p.e * kLog2Low));
}

GRADUS_INLINE double log1p(double x) {
  const double u = 1 + x, lost = x >= 1 ? 1 - (u - x) : x - (u - 1);
  const Parts p(u);
  const double y = p.e * kLog2High + (log_of_part(p.f) + (p.e * kLog2Low + lost / u));
  return x == 0 ? x : where_log_is(u, y);
}

GRADUS_INLINE double log2(double x) {
  const Parts p(x);
  return where_log_is(x, p.e + log_of_part(p.f) * (1 / 0.69314718055994530942));
}

GRADUS_INLINE double log10(double x) {
  const Parts p(x);
  return where_log_is(
      x, p.e * 0x1.34413509f7000p-2 + (log_of_part(p.f) * 0x1.bcb7b1526e50ep-2 + p.e * 0x1.3fde623e2566bp-43));
}

GRADUS_INLINE double tanh(double x) {
  const double a = std::abs(x), t = expm1(2 * (a > 22 ? 22 : a));
  return std::copysign(t / (t + 2), x);
}

// Taylor's series around a multiple of 1/4, where erf's derivatives are e^-c^2 times Hermite's polynomials.
inline double erf(double x) {
  // erf(c) and 2 / sqrt(pi) e^-c^2 for c = 1/2, 3/4, ...
  constexpr double kAt[][2] = {{0.5204998778130465, 0.8787825789354448},
                               {0.7111556336535151, 0.6429310691952074},
                               {0.8427007929497149, 0.4151074974205947},
                               {0.9229001282564583, 0.2365211224472908},
                               {0.9661051464753108, 0.11893028922362937},
                               {0.9866716712191824, 0.05277499593015037},
                               {0.9953222650189527, 0.020666985354092053},
                               {0.9985372834133188, 0.007142319022017983},
                               {0.999593047982555, 0.0021782842303527095},
                               {0.9998993780778803, 0.0005862772470937923},
                               {0.9999779095030014, 0.00013925305194674786},
                               {0.9999956972205363, 2.9189025383581702e-05},
                               {0.9999992569016276, 5.399426777384783e-06},
                               {0.9999998862727434, 8.814321912318039e-07},
                               {0.9999999845827421, 1.2698234671866558e-07},
                               {0.9999999981494259, 1.6143993719507412e-08},
                               {0.9999999998033839, 1.81130589590869e-09},
                               {0.9999999999815149, 1.7934357034341337e-10},
                               {0.9999999999984626, 1.5670866531017336e-11},
                               {0.9999999999998869, 1.2084074716006755e-12},
                               {0.9999999999999927, 8.223316045262922e-14},
                               {0.9999999999999996, 4.938485140964219e-15},
                               {1.0, 2.617301239249265e-16}};
  const double a = std::abs(x);
  if (!(a < 6)) return std::isnan(x) ? x : std::copysign(1.0, x);
  if (a < 0.5) {
    const double z = x * x;
    double sum = 0, factorial = 1;
    for (int n = 1; n < 14; ++n) factorial *= n;
    for (int n = 13; n >= 1; --n) {
      sum = z * ((n % 2 == 0 ? 1 : -1) / (factorial * (2 * n + 1)) + sum);
      factorial /= n;
    }
    constexpr double kScale = 1.1283791670955126, kMore = 0.1283791670955126;  // 2 / sqrt(pi), and less 1
    return x + x * (kMore + kScale * sum);
  }
  const auto i = static_cast<int>(4 * a + 0.5);
  const double c = 0.25 * i, h = a - c;
  // Terms h^(n+1) (-1)^n H_n(c) / (n+1)!
  double before = 0, polynomial = 1, power = h, sum = 0;
  for (int n = 0; n < 20; ++n) {
    sum += power * polynomial;
    const double next = 2 * c * polynomial - 2 * n * before;
    before = polynomial;
    polynomial = next;
    power *= -h / (n + 2);
  }
  return std::copysign(kAt[i - 2][0] + kAt[i - 2][1] * sum, x);
}

// Of a positive normal or denormal number, as a sum of two: its power needs the bits that one number has not.
struct LongLog {
  double high, low;

  explicit LongLog(double x) {
    const Parts p(x);
    // s = f / (2 + f), of whose division the rest is known: products of halves of the bits are exact.
    const double below = 2 + p.f, s = p.f / below;
    const auto upper = [](double v) { return std::bit_cast<double>(bits(v) & 0xfffffffff8000000u); };
    const double s1 = upper(s), s2 = s - s1, d1 = upper(below), d2 = (p.f - (d1 - 2)),
                 rest = ((p.f - s1 * d1) - s1 * d2) - s2 * d1 - s2 * d2;
    const double s_low = rest / below, z = s * s;
    // log(1 + f) = 2 s + s (2/3 z + ...)
    const double tail = s * log_of_rest(z) + 2 * s_low + s_low * 2 * z;
    const double first = p.e * kLog2High, sum = first + 2 * s;
    // What the sum has lost; either part may be the larger one.
    const double part = sum - first, lost = (first - (sum - part)) + (2 * s - part);
    const double second = tail + p.e * kLog2Low + lost;
    high = sum + second;
    low = second - (high - sum);
  }
};

inline double pow(double x, double y) {
  if (y == 0 || x == 1) return 1;
  if (std::isnan(x) || std::isnan(y)) return kNaN;
  const bool whole = y == std::floor(y), odd = whole && std::abs(y) < 0x1p53 && std::fmod(y, 2) != 0;
  const double a = std::abs(x);
  double result = 1;
  if (std::isinf(y)) return a == 1 ? 1 : (a > 1) == (y > 0) ? kInfinity : 0;
  if (a == 0 || std::isinf(a)) {
    result = (a == 0) == (y > 0) ? 0 : kInfinity;
  } else if (x < 0 && !whole) {
    return kNaN;
  } else {
    const LongLog log(a);
    if (std::abs(y * log.high) > 800) {
      result = (y > 0) == (log.high > 0) ? kInfinity : 0;
    } else {
      // y log(a) in two parts as well.
      const auto upper = [](double v) { return std::bit_cast<double>(bits(v) & 0xfffffffff8000000u); };
      const double y1 = upper(y), y2 = y - y1, l1 = upper(log.high), l2 = log.high - l1, product = y * log.high;
      const double low = ((y1 * l1 - product) + y1 * l2 + y2 * l1) + y2 * l2 + y * log.low;
      result = exp(product, low);
    }
  }
  return x < 0 || (x == 0 && std::signbit(x)) ? (odd ? -result : result) : result;
}

}  // namespace gradus::cpu::own
