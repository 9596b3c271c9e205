// Reducing a row inside a SIMD body: in lanes, in blocks, and the blocks pairwise, so that rounding errors grow with
// the logarithm of the length. The order of additions depends on the length alone, not on the instruction set.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

// What is reduced to: `load` of an element is combined with what is there already.
// Integers wrap around, as PyTorch's do.
template <class T>
using Wrapping = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;

template <class T>
struct SumOf {
  static constexpr T identity = 0;
  GRADUS_INLINE static T load(T x) { return x; }
  GRADUS_INLINE static T combine(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
};

template <class T>
struct ProdOf {
  static constexpr T identity = 1;
  GRADUS_INLINE static T load(T x) { return x; }
  GRADUS_INLINE static T combine(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
};

// A NaN wins over every number.
template <class T, bool largest>
struct ExtremeOf {
  static constexpr T worst() {
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return largest ? -Limits::infinity() : Limits::infinity();
    return largest ? Limits::lowest() : Limits::max();
  }
  static constexpr T identity = worst();
  GRADUS_INLINE static T load(T x) { return x; }
  GRADUS_INLINE static T combine(T a, T b) {
    // Two selections in a row stay selections; one with two conditions becomes branches, which do not vectorise.
    const T better = (largest ? b > a : b < a) ? b : a;
    return b != b ? b : better;
  }
};

// Enough independent accumulators to hide the latency of an addition on every instruction set.
template <class T>
inline constexpr int kLanes = 256 / static_cast<int>(sizeof(T));

// R over at(0) ... at(n - 1), n at most some thousands. The lambda must be GRADUS_LAMBDA.
template <class R, class T, class At>
GRADUS_INLINE T reduce_block(std::int64_t n, At at) {
  constexpr int lanes = kLanes<T>;
  T acc[lanes];
  for (int j = 0; j < lanes; ++j) acc[j] = R::identity;
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int j = 0; j < lanes; ++j) acc[j] = R::combine(acc[j], at(i + j));
  }
  for (int j = 0; i + j < n; ++j) acc[j] = R::combine(acc[j], at(i + j));
  for (int width = lanes / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) acc[j] = R::combine(acc[j], acc[j + width]);
  }
  return acc[0];
}

template <class R, class T, class At>
GRADUS_INLINE T reduce_row(std::int64_t n, At at) {
  if (n < kLanes<T>) {
    T acc[4] = {R::identity, R::identity, R::identity, R::identity};
    std::int64_t i = 0;
    // Integers may be added in any order, and GCC 12 makes wrong AVX-512 code of the four sums for 64-bit ones.
    for (; !std::is_integral_v<T> && i + 4 <= n; i += 4) {
      for (int j = 0; j < 4; ++j) acc[j] = R::combine(acc[j], at(i + j));
    }
    for (; i < n; ++i) acc[0] = R::combine(acc[0], at(i));
    return R::combine(R::combine(acc[0], acc[1]), R::combine(acc[2], acc[3]));
  }
  constexpr std::int64_t block = 32 * kLanes<T>;
  if (n <= block) return reduce_block<R, T>(n, at);
  // Blocks meet as the digits of a binary counter do, which pairs equals.
  T pending[64];
  int depth = 0;
  std::int64_t count = 0;
  for (std::int64_t begin = 0; begin < n; begin += block) {
    const std::int64_t length = n - begin < block ? n - begin : block;
    T value = reduce_block<R, T>(length, [=](std::int64_t i) GRADUS_LAMBDA { return at(begin + i); });
    ++count;
    for (std::int64_t c = count; (c & 1) == 0; c >>= 1) value = R::combine(pending[--depth], value);
    pending[depth++] = value;
  }
  T value = pending[--depth];
  while (depth > 0) value = R::combine(pending[--depth], value);
  return value;
}

}  // namespace gradus::cpu
