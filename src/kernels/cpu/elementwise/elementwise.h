// Element by element: one result element from the elements at the same place of up to four operands.
//
// Only contiguous loops are compiled per operation, type and instruction set. Everything else (broadcasting, strides,
// conversion of types) is done by staging blocks of an operand through a small buffer that stays in the first cache.
#pragma once

#include <type_traits>

#include <gradus/core/dtype.h>

#include "kernels/cpu/simd/simd.h"
#include "kernels/elementwise.h"

namespace gradus::cpu {

using namespace kernel;

// Kernels::elementwise and the like.
void elementwise(const Shape& sizes, const Operand& out, std::span<const Operand> ins, Dtype compute, Dtype result,
                 const Formula& formula);
void contiguous(const Formula& formula, std::int64_t n, void* out, std::span<const void* const> ins);
void fill(const Shape& sizes, const Operand& dst, const Element& value);

// dst = src, converted.
void copy(const Shape& sizes, const Operand& dst, const Operand& src);

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
