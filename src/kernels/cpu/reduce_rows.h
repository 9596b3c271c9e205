// Reducing a row inside a SIMD body: in lanes, in blocks, and the blocks pairwise, so that rounding errors grow with
// the logarithm of the length. The order of additions depends on the length alone, not on the instruction set.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/cpu/simd.h"

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
    T a = R::identity, b = a, c = a, d = a;
    std::int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
      a = R::combine(a, at(i));
      b = R::combine(b, at(i + 1));
      c = R::combine(c, at(i + 2));
      d = R::combine(d, at(i + 3));
    }
    for (; i < n; ++i) a = R::combine(a, at(i));
    return R::combine(R::combine(a, b), R::combine(c, d));
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
