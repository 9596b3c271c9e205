// What follows a product of matrices, while a block of the result is in the cache.
#pragma once

#include <cstdint>

#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

template <class F, class T>
struct FinishBody {
  GRADUS_INLINE static void run(F f, std::int64_t m, std::int64_t n, T* c, std::int64_t ldc, const T* bias) {
    for (std::int64_t i = 0; i < m; ++i, c += ldc) {
      if (bias != nullptr) {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < n; ++j) c[j] = f.f(c[j] + bias[j]);
      } else {
#pragma GCC ivdep
        for (std::int64_t j = 0; j < n; ++j) c[j] = f.f(c[j]);
      }
    }
  }
};

// Of a formula as in ops/elementwise/elementwise.h: c = f(c + bias[j]) for a block of C; without bias, c = f(c).
template <class F, class T>
void finish(const void* formula, std::int64_t m, std::int64_t n, T* c, std::int64_t ldc, const T* bias) {
  simd_call<FinishBody<F, T>>(*static_cast<const F*>(formula), m, n, c, ldc, bias);
}

}  // namespace gradus::cpu
