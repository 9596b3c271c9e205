// Reading and writing elements that are computed with in float32, in loops that become SIMD.
#pragma once

#include <gradus/core/dtype.h>

#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

GRADUS_INLINE float wide(float x) { return x; }
GRADUS_INLINE double wide(double x) { return x; }
GRADUS_INLINE float wide(BFloat16 x) { return static_cast<float>(x); }

template <class T>
GRADUS_INLINE void put(T& to, T value) {
  to = value;
}
GRADUS_INLINE void put(BFloat16& to, float value) { to = BFloat16(value); }

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
