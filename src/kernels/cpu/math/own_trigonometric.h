// Our own functions of angles: own.h says how they are compiled.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/formulas/random_math.h"
#include "kernels/inline.h"

namespace gradus::cpu::own {

using kernel::SineCosine, kernel::sine_cosine_near_zero, kernel::turned;

// An angle as a whole number of quarter turns and a rest of at most an eighth.
struct Angle {
  std::int32_t quarters;
  double rest;
};

// For any size: x 2 / pi, of which only the bits around the point count, from the bits of 2 / pi.
inline Angle reduced_by_bits(double x) {
  constexpr std::uint64_t kTwoOverPi[] = {0,
                                          0xa2f9836e4e441529,
                                          0xfc2757d1f534ddc0,
                                          0xdb6295993c439041,
                                          0xfe5163abdebbc561,
                                          0xb7246e3a424dd2e0,
                                          0x06492eea09d1921c,
                                          0xfe1deb1cb129a73e,
                                          0xe88235f52ebb4484,
                                          0xe99c7026b45f7e41,
                                          0x3991d639835339f4,
                                          0x9c845f8bbdf9283b,
                                          0x1ff897ffde05980f,
                                          0xef2f118b5a0a6d1f,
                                          0x6d367ecf27cb09b7,
                                          0x4f463f669e5fea2d,
                                          0x7527bac7ebe5f17b,
                                          0x3d0739f78a5292ea,
                                          0x6bfb5fb11f8d5d08,
                                          0x56033046fc7b6bab};
  __extension__ typedef unsigned __int128 Wide;
  __extension__ typedef __int128 Signed;
  const auto all = std::bit_cast<std::uint64_t>(std::abs(x));
  const std::uint64_t mantissa = (all & 0xfffffffffffffu) | (std::uint64_t{1} << 52);
  // x = mantissa 2^e. What is above 4 in the product is whole turns: the bits of 2 / pi before `start` make no other.
  const int e = static_cast<int>(all >> 52) - 1075, start = e - 2 + 64, word = start / 64, shift = start % 64;
  const auto part = [&](int i) {
    const std::uint64_t high = kTwoOverPi[word + i] << shift;
    return shift == 0 ? high : high | kTwoOverPi[word + i + 1] >> (64 - shift);
  };
  // The lower 192 bits of the product, whose first two are quarter turns; of these the upper 128.
  const Wide low = Wide{mantissa} * part(2), middle = Wide{mantissa} * part(1) + (low >> 64);
  const Wide top = (Wide{mantissa * part(0)} << 64) + middle;
  const auto quarters = static_cast<std::int32_t>((top + (Wide{1} << 125)) >> 126);
  const auto rest = static_cast<Signed>(top - (Wide{static_cast<std::uint64_t>(quarters)} << 126));
  const double turned = static_cast<double>(rest) * 0x1p-126 * 1.57079632679489661923;
  return x < 0 ? Angle{-quarters, -turned} : Angle{quarters, turned};
}

inline Angle reduced(double x) {
  if (!(std::abs(x) < 0x1p20)) {
    return std::isfinite(x) ? reduced_by_bits(x) : Angle{0, std::numeric_limits<double>::quiet_NaN()};
  }
  // pi / 2 in parts of 33 bits, whose products with a number below 2^20 are exact.
  const double turns = std::nearbyint(x * 0x1.45f306dc9c883p-1);
  const double rest =
      ((x - turns * 0x1.921fb54400000p+0) - turns * 0x1.0b4611a600000p-34) - turns * 0x1.3198a2e037073p-69;
  return {static_cast<std::int32_t>(turns), rest};
}

inline SineCosine<double> sine_cosine(double x) {
  const Angle angle = reduced(x);
  return turned(sine_cosine_near_zero(angle.rest), angle.quarters);
}

inline double sin(double x) { return x == 0 ? x : sine_cosine(x).sin; }
inline double cos(double x) { return sine_cosine(x).cos; }
inline double tan(double x) {
  const auto at = sine_cosine(x);
  return x == 0 ? x : at.sin / at.cos;
}

// atan(t) = atan(c) + atan((t - c) / (1 + t c)) with c the nearest of 0, 1/8, ... 1.
inline double atan(double x) {
  constexpr double kAt[] = {0.0,
                            0.12435499454676144,
                            0.24497866312686414,
                            0.35877067027057225,
                            0.4636476090008061,
                            0.5585993153435624,
                            0.6435011087932844,
                            0.7188299996216245,
                            0.7853981633974483};
  if (std::isnan(x)) return x;
  const double a = std::abs(x), t = a > 1 ? 1 / a : a;
  const auto i = static_cast<int>(8 * t + 0.5);
  const double c = 0.125 * i, u = (t - c) / (1 + t * c), z = u * u;
  double sum = 1.0 / 15;
  for (int k = 13; k >= 3; k -= 2) sum = 1.0 / k - z * sum;
  const double near = kAt[i] + (u - u * z * sum);
  return std::copysign(a > 1 ? 0x1.921fb54442d18p+0 - (near - 0x1.1a62633145c07p-54) : near, x);
}

// The angle of the point (x, y).
inline double atan2(double y, double x) {
  constexpr double kPi = 0x1.921fb54442d18p+1, kPiMore = 0x1.1a62633145c07p-53;
  if (std::isnan(x) || std::isnan(y)) return std::numeric_limits<double>::quiet_NaN();
  const double a = std::abs(x), b = std::abs(y);
  double angle = 0;
  if (std::isinf(a) && std::isinf(b)) {
    angle = kPi / 4;
  } else if (b != 0) {
    angle = atan(b / a);
  }
  return std::copysign(std::signbit(x) ? kPi - (angle - kPiMore) : angle, y);
}

}  // namespace gradus::cpu::own
