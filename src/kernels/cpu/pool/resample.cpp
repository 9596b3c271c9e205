#include "kernels/cpu/pool/resample.h"

#include <algorithm>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kGrain = 16384;  // elements below which another thread does not pay

template <class T, bool add>
struct AxpyBody {
  GRADUS_INLINE static void run(const T* x, int64_t n, T weight, T* y) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = add ? y[i] + weight * x[i] : weight * x[i];
  }
};

// Calls part(first row, x offset, y offset) for each of `outer` slices.
template <class F>
void for_slices(const Taps& taps, int64_t outer, int64_t inner, F&& slice) {
  const int64_t each = std::max<int64_t>(1, std::max(taps.in, taps.out) * inner);
  core::parallel_for(outer, std::max<int64_t>(1, kGrain / each), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) slice(o * taps.in * inner, o * taps.out * inner);
  });
}

// Calls tap(input position, output position, weight, whether it is the first for its output).
template <class T, class F>
void for_taps(const Taps& taps, F&& tap) {
  for (int64_t i = 0; i < taps.out; ++i) {
    for (int64_t t = 0; t < taps.count; ++t) {
      const auto k = static_cast<std::size_t>(i * taps.count + t);
      tap(taps.index[k], i, static_cast<T>(taps.weights[k]), t == 0);
    }
  }
}

template <class T>
void forward(const Taps& taps, int64_t outer, int64_t inner, const T* x, T* y) {
  for_slices(taps, outer, inner, [&](int64_t in, int64_t out) {
    for_taps<T>(taps, [&](int64_t from, int64_t to, T weight, bool first) {
      const T* source = x + in + from * inner;
      T* result = y + out + to * inner;
      if (inner == 1) {
        *result = first ? weight * *source : *result + weight * *source;
      } else {
        first ? simd_call<AxpyBody<T, false>>(source, inner, weight, result)
              : simd_call<AxpyBody<T, true>>(source, inner, weight, result);
      }
    });
  });
}

template <class T>
void backward(const Taps& taps, int64_t outer, int64_t inner, const T* g, T* gx) {
  for_slices(taps, outer, inner, [&](int64_t in, int64_t out) {
    std::fill_n(gx + in, taps.in * inner, T(0));
    for_taps<T>(taps, [&](int64_t from, int64_t to, T weight, bool) {
      T* result = gx + in + from * inner;
      const T* source = g + out + to * inner;
      if (inner == 1) {
        *result += weight * *source;
      } else {
        simd_call<AxpyBody<T, true>>(source, inner, weight, result);
      }
    });
  });
}

}  // namespace

void resample(Dtype dtype, const Taps& taps, int64_t outer, int64_t inner, const void* x, void* y) {
  visit<float, double>("interpolate", dtype,
                       [&]<class T>(T) { forward(taps, outer, inner, static_cast<const T*>(x), static_cast<T*>(y)); });
}

void resample_backward(Dtype dtype, const Taps& taps, int64_t outer, int64_t inner, const void* g, void* gx) {
  visit<float, double>("interpolate", dtype, [&]<class T>(T) {
    backward(taps, outer, inner, static_cast<const T*>(g), static_cast<T*>(gx));
  });
}

}  // namespace gradus::cpu
