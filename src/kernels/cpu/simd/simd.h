#pragma once

#include <atomic>
#include <cmath>

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

#define GRADUS_INLINE [[gnu::always_inline]] inline
#define GRADUS_LAMBDA __attribute__((always_inline))
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define GRADUS_V3 __attribute__((target("arch=x86-64-v3")))
#define GRADUS_V4 __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#else
#define GRADUS_V3
#define GRADUS_V4
#endif

// to = the elements of a, and then of b, that `places` names; all of GCC's vector types.
#if defined(__GNUC__) && !defined(__clang__)
#define GRADUS_SHUFFLE(to, a, b, places) to = __builtin_shuffle(a, b, places)
#else
#define GRADUS_SHUFFLE(to, a, b, places)                                         \
  for (int lane = 0, lanes = sizeof(to) / sizeof((to)[0]); lane < lanes; ++lane) \
  (to)[lane] = (places)[lane] < lanes ? (a)[(places)[lane]] : (b)[(places)[lane] - lanes]
#endif

// glibc's libmvec has these functions for whole vectors; the declarations tell GCC so. (Its own headers do that under
// -ffast-math only.) Errors are up to 4 units in the last place, and the scalar tail of a loop calls the plain
// function, so bits may differ between an element in a full vector and the same element in a tail.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
extern "C" {
#define GRADUS_VECTOR_MATH(name)                                        \
  _Pragma("omp declare simd notinbranch") double name(double) noexcept; \
  _Pragma("omp declare simd notinbranch") float name##f(float) noexcept
#if __GLIBC_PREREQ(2, 22)
GRADUS_VECTOR_MATH(exp);
GRADUS_VECTOR_MATH(log);
GRADUS_VECTOR_MATH(sin);
GRADUS_VECTOR_MATH(cos);
#pragma omp declare simd notinbranch
double pow(double, double) noexcept;
#pragma omp declare simd notinbranch
float powf(float, float) noexcept;
#endif
#if __GLIBC_PREREQ(2, 35)
GRADUS_VECTOR_MATH(expm1);
GRADUS_VECTOR_MATH(log1p);
GRADUS_VECTOR_MATH(log2);
GRADUS_VECTOR_MATH(log10);
GRADUS_VECTOR_MATH(tan);
GRADUS_VECTOR_MATH(atan);
GRADUS_VECTOR_MATH(tanh);
GRADUS_VECTOR_MATH(erf);
#endif
#undef GRADUS_VECTOR_MATH
}
#endif

namespace gradus::cpu {

/// Instruction sets that loops are compiled for: what every x86-64 has (or another CPU's default), AVX2 with FMA,
/// AVX-512.
enum class Isa : int { base = 0, v3 = 1, v4 = 2 };

/// The best this machine has; the environment variable GRADUS_ISA=base|v3|v4 may lower it.
Isa best_isa();

/// Makes `simd_call` use `isa`, or the best this machine has where that is less. For tests; not while kernels run.
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

/// Runs Body::run(args...) compiled for current_isa(). Arguments go by value: pointers, sizes, scalars.
template <class Body, class... Args>
inline void simd_call(Args... args) {
  switch (current_isa()) {
    case Isa::v4:
      return detail::call_v4<Body>(args...);
    case Isa::v3:
      return detail::call_v3<Body>(args...);
    case Isa::base:
      break;
  }
  detail::call_base<Body>(args...);
}

}  // namespace gradus::cpu
