#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/inline.h"

// What random words become. The functions behind normal numbers are for the ranges they need. They use additions,
// products, quotients and roots alone and no fused operation (their users are compiled with -ffp-contract=off, or
// -fmad=false), so all processors give the same bits, and the full vectors of a loop the same as its tail. Within about
// 2 units in the last place.
namespace gradus::kernel {

// log(x) for a normal x in (0, 1]: x = 2^e m with m near 1, and log m = 2 artanh(s), s = (m - 1) / (m + 1).
GRADUS_INLINE float log_of_unit(float x) {
  constexpr std::uint32_t kRootOfHalf = 0x3f3504f3;
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::int32_t e = static_cast<std::int32_t>(bits - kRootOfHalf) >> 23;
  const float f = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(e) << 23)) - 1.0f;
  const float s = f / (2.0f + f), z = s * s;
  const float rest = z * (2.0f / 3 + z * (2.0f / 5 + z * (2.0f / 7 + z * (2.0f / 9))));
  return static_cast<float>(e) * 0.693147180f + (f - s * (f - rest));
}

GRADUS_INLINE double log_of_unit(double x) {
  constexpr std::uint64_t kRootOfHalf = 0x3fe6a09e667f3bcd, kBias = std::uint64_t{1024} << 52;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  // Biased, as there is no vector shift that keeps the sign of 64 bits before AVX-512.
  const std::uint64_t e = ((bits - kRootOfHalf + kBias) >> 52) - 1024;
  const double f = std::bit_cast<double>(bits - (e << 52)) - 1.0;
  const double s = f / (2.0 + f), z = s * s;
  double rest = 2.0 / 23;
#pragma GCC unroll 10
  for (int k = 21; k >= 3; k -= 2) rest = 2.0 / k + z * rest;
  return static_cast<double>(static_cast<std::int32_t>(e)) * 0.69314718055994530942 + (f - s * (f - z * rest));
}

template <class T>
struct SineCosine {
  T sin, cos;
};

// Taylor's series for |x| <= pi / 4.
GRADUS_INLINE SineCosine<float> sine_cosine_near_zero(float x) {
  const float z = x * x;
  const float s = -1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)));
  const float c = 1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320 + z * (-1.0f / 3628800)));
  return {x + x * z * s, 1.0f - z * 0.5f + z * z * c};
}

GRADUS_INLINE SineCosine<double> sine_cosine_near_zero(double x) {
  const double z = x * x;
  double s = 1.0, c = 1.0;
#pragma GCC unroll 9
  for (int k = 18; k >= 4; k -= 2) {
    s = 1.0 - z * s * (1.0 / (k * (k + 1.0)));
    c = 1.0 - z * c * (1.0 / (k * (k - 1.0)));
  }
  return {x - x * z * s * (1.0 / 6), 1.0 - z * c * 0.5};
}

// Turned by `quarters` quarter turns.
template <class T>
GRADUS_INLINE SineCosine<T> turned(SineCosine<T> at, std::int32_t quarters) {
  const bool swap = (quarters & 1) != 0;
  const T s = swap ? at.cos : at.sin, c = swap ? at.sin : at.cos;
  return {(quarters & 2) != 0 ? -s : s, ((quarters + 1) & 2) != 0 ? -c : c};
}

// Of the angle 2 pi w / 2^32.
GRADUS_INLINE SineCosine<float> sine_cosine_of_turn(std::uint32_t w) {
  const auto quarters = static_cast<std::int32_t>((w + 0x20000000u) >> 30);
  const auto rest = static_cast<std::int32_t>(w - (static_cast<std::uint32_t>(quarters) << 30));
  return turned(sine_cosine_near_zero(static_cast<float>(rest) * 1.46291807926715968e-9f), quarters);
}

// Of the angle 2 pi u, u in [0, 1).
GRADUS_INLINE SineCosine<double> sine_cosine_of_turn(double u) {
  const auto quarters = static_cast<std::int32_t>(u * 4 + 0.5);
  const double rest = u * 4 - static_cast<double>(quarters);
  return turned(sine_cosine_near_zero(rest * 1.57079632679489661923), quarters);
}

// A multiple of 2^-53 in [0, 1).
GRADUS_INLINE double unit_53(std::uint32_t a, std::uint32_t b) {
  return (static_cast<double>(static_cast<std::int32_t>(a >> 5)) * 0x1p26 +
          static_cast<double>(static_cast<std::int32_t>(b >> 6))) *
         0x1p-53;
}

// The upper half of a 128-bit product maps 64 random bits onto [0, range).
__extension__ typedef unsigned __int128 Bits128;
GRADUS_INLINE std::uint64_t below(std::uint64_t range, std::uint64_t bits) {
  return static_cast<std::uint64_t>((static_cast<Bits128>(bits) * range) >> 64);
}

}  // namespace gradus::kernel
