// 16 bits on a GPU: the conversions of gradus/core/dtype.h, for code of both kinds.
#pragma once

#include <gradus/core/dtype.h>

#include "kernels/gpu/launch.h"

namespace gradus::gpu {

#if defined(__CUDACC__)

GRADUS_DEVICE std::uint32_t bits_of(float x) { return __float_as_uint(x); }
GRADUS_DEVICE float of_bits(std::uint32_t x) { return __uint_as_float(x); }

GRADUS_DEVICE float wide(BFloat16 x) { return of_bits(static_cast<std::uint32_t>(x.bits) << 16); }
GRADUS_DEVICE void put(BFloat16& to, float value) {
  const std::uint32_t u = bits_of(value), rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  to.bits = static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded);
}
GRADUS_DEVICE float wide(Float16 x) {
  const std::uint32_t sign = (x.bits & 0x8000u) << 16, size = x.bits & 0x7fffu;
  const std::uint32_t tiny = bits_of(static_cast<float>(static_cast<std::int32_t>(size)) * 0x1p-24f);
  const std::uint32_t shifted = size << 13;
  const std::uint32_t u = size < 0x400u ? tiny : size < 0x7c00u ? shifted + 0x38000000u : shifted | 0x7f800000u;
  return of_bits(u | sign);
}
GRADUS_DEVICE void put(Float16& to, float value) {
  const std::uint32_t u = bits_of(value), size = u & 0x7fffffffu;
  const std::uint32_t normal = (size - 0x38000000u + 0xfffu + ((size >> 13) & 1u)) >> 13;
  const std::uint32_t tiny = bits_of(of_bits(size) + 0.5f) - 0x3f000000u;
  const std::uint32_t special = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const std::uint32_t magnitude = size >= 0x47800000u ? special : size < 0x38800000u ? tiny : normal;
  to.bits = static_cast<std::uint16_t>(magnitude | ((u >> 16) & 0x8000u));
}

#else

inline float wide(BFloat16 x) { return static_cast<float>(x); }
inline void put(BFloat16& to, float value) { to = BFloat16(value); }
inline float wide(Float16 x) { return static_cast<float>(x); }
inline void put(Float16& to, float value) { to = Float16(value); }

#endif

GRADUS_DEVICE float wide(float x) { return x; }
GRADUS_DEVICE double wide(double x) { return x; }
GRADUS_DEVICE void put(float& to, float value) { to = value; }
GRADUS_DEVICE void put(double& to, double value) { to = value; }

// The type that elements of T are computed with in.
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

}  // namespace gradus::gpu
