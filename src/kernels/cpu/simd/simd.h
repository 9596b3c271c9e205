#pragma once

#include <atomic>
#include <cmath>

#include "kernels/inline.h"
#include "kernels/math.h"

/// How loops become SIMD here. A loop is written once, as the static function `run` of a struct, marked GRADUS_INLINE;
/// `simd_call<Body>(args...)` compiles it for each instruction set and runs the best the machine has:
///
///   struct AddBody {
///     GRADUS_INLINE static void run(const float* a, const float* b, float* out, int64_t n) {
///       for (int64_t i = 0; i < n; ++i) out[i] = a[i] + b[i];
///     }
///   };
///   simd_call<AddBody>(a, b, out, n);
///
/// Everything the body calls must be GRADUS_INLINE too. A lambda must say so itself, `[=](float x) GRADUS_LAMBDA {…}`:
/// GCC gives it the plain target, and a call to it would leave the SIMD code.

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define GRADUS_V3 __attribute__((target("arch=x86-64-v3")))
#define GRADUS_V4 __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#else
// Other compilers and processors have one set of loops.
#define GRADUS_V3
#define GRADUS_V4
#define GRADUS_ONE_SET
#endif

// to = the elements of a, and then of b, that `places` names; all of GCC's vector types.
#if defined(__GNUC__) && !defined(__clang__)
#define GRADUS_SHUFFLE(to, a, b, places) to = __builtin_shuffle(a, b, places)
#else
#define GRADUS_SHUFFLE(to, a, b, places)                                         \
  for (int lane = 0, lanes = sizeof(to) / sizeof((to)[0]); lane < lanes; ++lane) \
  (to)[lane] = (places)[lane] < lanes ? (a)[(places)[lane]] : (b)[(places)[lane] - lanes]
#endif

namespace gradus::cpu {

/// Instruction sets that loops are compiled for: what every x86-64 has (or another CPU's default), AVX2 with FMA,
/// AVX-512.
enum class Isa : int { base = 0, v3 = 1, v4 = 2 };

/// Whether the loops were compiled for it: CMake's GRADUS_INSTRUCTION_SETS.
constexpr bool is_built(Isa isa) {
#if defined(GRADUS_ONE_SET) || defined(GRADUS_WITHOUT_V3)
  if (isa == Isa::v3) return false;
#endif
#if defined(GRADUS_ONE_SET) || defined(GRADUS_WITHOUT_V4)
  if (isa == Isa::v4) return false;
#endif
  return isa == Isa::base || isa == Isa::v3 || isa == Isa::v4;
}

/// The best that this machine and this build have; the environment variable GRADUS_ISA=base|v3|v4 may lower it.
Isa best_isa();

/// Makes `simd_call` use `isa`, or the best below it that there is; in portable mode always `base`. For tests; not
/// while kernels run.
void set_isa(Isa isa);

namespace detail {
extern std::atomic<int> isa_in_use;  // -1: not detected yet
Isa detect_isa();
}  // namespace detail

/// What `simd_call` uses now.
inline Isa current_isa() {
  const int isa = detail::isa_in_use.load(std::memory_order_relaxed);
  return isa < 0 ? detail::detect_isa() : static_cast<Isa>(isa);
}

namespace detail {
template <class Body, class... Args>
void call_base(Args... args) {
  Body::run(args...);
}
template <class Body, class... Args>
GRADUS_V3 void call_v3(Args... args) {
  Body::run(args...);
}
template <class Body, class... Args>
GRADUS_V4 void call_v4(Args... args) {
  Body::run(args...);
}
}  // namespace detail

/// As simd_call, for loops that are written for each set: of which the width of a vector is a part.
template <class Base, class V3, class V4, class... Args>
inline void simd_choose(Args... args) {
  const Isa isa = current_isa();
  if constexpr (is_built(Isa::v4)) {
    if (isa == Isa::v4) return detail::call_v4<V4>(args...);
  }
  if constexpr (is_built(Isa::v3)) {
    if (isa == Isa::v3) return detail::call_v3<V3>(args...);
  }
  detail::call_base<Base>(args...);
}

/// Runs Body::run(args...) compiled for current_isa(). Arguments go by value: pointers, sizes, scalars.
template <class Body, class... Args>
inline void simd_call(Args... args) {
  simd_choose<Body, Body, Body>(args...);
}

}  // namespace gradus::cpu
