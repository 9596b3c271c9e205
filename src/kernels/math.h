// exp, log and their like, for formulas and for single numbers: those of the C library, of which glibc's libmvec (on
// arm64 SLEEF) has some for whole vectors; in portable mode our own, cpu/math/own.h.
//
// Errors of whole vectors are up to 4 units in the last place, and the scalar tail of a loop calls the plain function,
// so bits may differ between an element in a full vector and the same element in a tail; not in portable mode.
#pragma once

#include <cmath>

#include "kernels/inline.h"

#if defined(__CUDACC__)
#define GRADUS_MATH(name)                                    \
  GRADUS_INLINE float name(float x) { return std::name(x); } \
  GRADUS_INLINE double name(double x) { return std::name(x); }
#define GRADUS_MATH_OF_TWO(name)                                         \
  GRADUS_INLINE float name(float x, float y) { return std::name(x, y); } \
  GRADUS_INLINE double name(double x, double y) { return std::name(x, y); }
#else

// With these declarations GCC calls functions of whole vectors.
#if defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#if defined(__x86_64__)
#define GRADUS_SIMD_DOUBLE _Pragma("omp declare simd notinbranch")
#define GRADUS_SIMD_FLOAT _Pragma("omp declare simd notinbranch")
#define GRADUS_HAS_VECTOR_MATH(major, minor) __GLIBC_PREREQ(major, minor)
// For AVX and above they are libmvec's own, by a second name. (_ZGVbN2v_ and _ZGVbN4v_ are in cpu/math/vectors.cpp:
// they look whether the mode is portable.)
#define GRADUS_VECTOR_NAME(set, name) asm(".set _ZGV" set "_gradus_" name ", _ZGV" set "_" name);
#define GRADUS_VECTOR_NAMES(name, of) \
  GRADUS_VECTOR_NAME("cN4" of, name)  \
  GRADUS_VECTOR_NAME("dN4" of, name)  \
  GRADUS_VECTOR_NAME("eN8" of, name)  \
  GRADUS_VECTOR_NAME("cN8" of, name "f") GRADUS_VECTOR_NAME("dN8" of, name "f") GRADUS_VECTOR_NAME("eN16" of, name "f")
#elif defined(__aarch64__) && defined(GRADUS_SLEEF)
#define GRADUS_SIMD_DOUBLE _Pragma("omp declare simd notinbranch simdlen(2)")
#define GRADUS_SIMD_FLOAT _Pragma("omp declare simd notinbranch simdlen(4)")
#define GRADUS_HAS_VECTOR_MATH(major, minor) 1
#define GRADUS_VECTOR_NAMES(name, of)
#endif
#endif
#ifndef GRADUS_HAS_VECTOR_MATH
#define GRADUS_HAS_VECTOR_MATH(major, minor) 0
#endif

// Always inlined, so that `name` is the call of gradus_name that GCC knows the vectors of. The result is a function of
// the argument alone: the mode does not change while loops run.
#define GRADUS_MATH_PLAIN(name)                         \
  [[gnu::const]] double gradus_##name(double) noexcept; \
  [[gnu::const]] float gradus_##name##f(float) noexcept;
#define GRADUS_MATH_VECTORS(name)                                          \
  GRADUS_SIMD_DOUBLE [[gnu::const]] double gradus_##name(double) noexcept; \
  GRADUS_SIMD_FLOAT [[gnu::const]] float gradus_##name##f(float) noexcept; \
  GRADUS_VECTOR_NAMES(#name, "v")

extern "C" {
#if GRADUS_HAS_VECTOR_MATH(2, 22)
GRADUS_MATH_VECTORS(exp)
GRADUS_MATH_VECTORS(log)
GRADUS_MATH_VECTORS(sin)
GRADUS_MATH_VECTORS(cos)
GRADUS_SIMD_DOUBLE [[gnu::const]] double gradus_pow(double, double) noexcept;
GRADUS_SIMD_FLOAT [[gnu::const]] float gradus_powf(float, float) noexcept;
GRADUS_VECTOR_NAMES("pow", "vv")
#else
GRADUS_MATH_PLAIN(exp)
GRADUS_MATH_PLAIN(log)
GRADUS_MATH_PLAIN(sin)
GRADUS_MATH_PLAIN(cos)
[[gnu::const]] double gradus_pow(double, double) noexcept;
[[gnu::const]] float gradus_powf(float, float) noexcept;
#endif
#if GRADUS_HAS_VECTOR_MATH(2, 35)
#define GRADUS_MATH_NEWER GRADUS_MATH_VECTORS
#else
#define GRADUS_MATH_NEWER GRADUS_MATH_PLAIN
#endif
GRADUS_MATH_NEWER(expm1)
GRADUS_MATH_NEWER(log1p)
GRADUS_MATH_NEWER(log2)
GRADUS_MATH_NEWER(log10)
GRADUS_MATH_NEWER(tan)
GRADUS_MATH_NEWER(atan)
GRADUS_MATH_NEWER(tanh)
GRADUS_MATH_NEWER(erf)
[[gnu::const]] double gradus_atan2(double, double) noexcept;
[[gnu::const]] float gradus_atan2f(float, float) noexcept;
}
#define GRADUS_MATH(name)                                           \
  GRADUS_INLINE float name(float x) { return gradus_##name##f(x); } \
  GRADUS_INLINE double name(double x) { return gradus_##name(x); }
#define GRADUS_MATH_OF_TWO(name)                                                \
  GRADUS_INLINE float name(float x, float y) { return gradus_##name##f(x, y); } \
  GRADUS_INLINE double name(double x, double y) { return gradus_##name(x, y); }
#endif

namespace gradus::math {

GRADUS_MATH(exp)
GRADUS_MATH(expm1)
GRADUS_MATH(log)
GRADUS_MATH(log1p)
GRADUS_MATH(log2)
GRADUS_MATH(log10)
GRADUS_MATH(sin)
GRADUS_MATH(cos)
GRADUS_MATH(tan)
GRADUS_MATH(atan)
GRADUS_MATH(tanh)
GRADUS_MATH(erf)
GRADUS_MATH_OF_TWO(pow)
GRADUS_MATH_OF_TWO(atan2)

}  // namespace gradus::math

#undef GRADUS_MATH
#undef GRADUS_MATH_OF_TWO
#undef GRADUS_MATH_PLAIN
#undef GRADUS_MATH_VECTORS
#undef GRADUS_MATH_NEWER
