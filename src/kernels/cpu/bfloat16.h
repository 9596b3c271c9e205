// Reading and writing elements that are computed with in float32, in loops that become SIMD.
#pragma once

#include <gradus/dtype.h>

#include "kernels/cpu/simd.h"

namespace gradus::cpu {

GRADUS_INLINE float wide(float x) { return x; }
GRADUS_INLINE double wide(double x) { return x; }
GRADUS_INLINE float wide(BFloat16 x) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16); }

template <class T>
GRADUS_INLINE void put(T& to, T value) {
  to = value;
}
// As the constructor of BFloat16, which function targets keep from being inlined.
GRADUS_INLINE void put(BFloat16& to, float value) {
  const std::uint32_t u = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  to.bits = static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded);
}

struct RoundBody {
  GRADUS_INLINE static void run(const float* from, std::int64_t n, BFloat16* to) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) put(to[i], from[i]);
  }
};

template <class T>
struct WideOf {
  using type = T;
};
template <>
struct WideOf<BFloat16> {
  using type = float;
};
template <class T>
using Wide = typename WideOf<T>::type;

}  // namespace gradus::cpu
