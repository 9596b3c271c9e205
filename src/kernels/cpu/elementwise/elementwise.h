// Element by element: one result element from the elements at the same place of up to four operands.
//
// Only contiguous loops are compiled per operation, type and instruction set. Everything else (broadcasting, strides,
// conversion of types) is done by staging blocks of an operand through a small buffer that stays in the first cache.
#pragma once

#include <gradus/dtype.h>
#include <gradus/shape.h>

#include <span>

#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

inline constexpr int kMaxOperands = 4;

struct Operand {
  void* data;
  Dtype dtype;
  Shape strides;  // in elements, one per dimension of the result; 0 where broadcast
};

// A contiguous loop: out[i] = formula(in[0][i], in[1][i], ...).
using Loop = void (*)(const void* formula, std::int64_t n, void* out, const void* const* in);

// out = loop(ins) over `sizes`. The loop reads ins as `compute` and writes `result`; operands of other types are
// converted. `out` may be one of the ins, at the same place.
void elementwise(const Shape& sizes, const Operand& out, std::span<const Operand> ins, Dtype compute, Dtype result,
                 Loop loop, const void* formula);

// dst = src, converted.
void copy(const Shape& sizes, const Operand& dst, const Operand& src);

// The type that a tensor's elements have in loops: bool is stored as bytes that are 0 or 1.
template <class T>
struct Stored {
  using type = T;
};
template <>
struct Stored<bool> {
  using type = std::uint8_t;
};

namespace detail {
template <class R, class V>
GRADUS_INLINE typename Stored<R>::type stored(V value) {
  if constexpr (std::is_same_v<R, bool>) return static_cast<std::uint8_t>(value != 0);
  return static_cast<typename Stored<R>::type>(value);
}

template <class F, class R, class T, int N>
struct LoopBody {
  GRADUS_INLINE static void run(F f, std::int64_t n, typename Stored<R>::type* out, const T* a, const T* b, const T* c,
                                const T* d) {
    // The result may stand in an operand's place, element for element; nothing else overlaps.
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (N == 1) out[i] = stored<R>(f.f(a[i]));
      if constexpr (N == 2) out[i] = stored<R>(f.f(a[i], b[i]));
      if constexpr (N == 3) out[i] = stored<R>(f.f(a[i], b[i], c[i]));
      if constexpr (N == 4) out[i] = stored<R>(f.f(a[i], b[i], c[i], d[i]));
    }
  }
};
}  // namespace detail

template <class F, class R, class T, int N>
void contiguous_loop(const void* formula, std::int64_t n, void* out, const void* const* in) {
  using Tin = typename Stored<T>::type;
  using Tout = typename Stored<R>::type;
  const auto at = [&](int i) { return static_cast<const Tin*>(in[i < N ? i : 0]); };
  simd_call<detail::LoopBody<F, R, Tin, N>>(*static_cast<const F*>(formula), n, static_cast<Tout*>(out), at(0), at(1),
                                            at(2), at(3));
}

}  // namespace gradus::cpu
