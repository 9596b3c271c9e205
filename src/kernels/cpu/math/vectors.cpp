// What GCC calls for the loops of kernels/math.h on vectors of 128 bits.
#include <type_traits>

#include "core/portable.h"
#include "kernels/cpu/math/own.h"
#include "kernels/math.h"

#if GRADUS_HAS_VECTOR_MATH(2, 22)

namespace own = gradus::cpu::own;
using gradus::core::is_portable;

#if defined(__aarch64__)
#define GRADUS_SET "n"
#define GRADUS_VECTOR_CALL __attribute__((aarch64_vector_pcs))
#else
#define GRADUS_SET "b"
#define GRADUS_VECTOR_CALL
#endif

typedef float Floats __attribute__((vector_size(16)));
typedef double Doubles __attribute__((vector_size(16)));

namespace {

template <class V, class F>
V each(V x, F&& f) {
  V y{};
  for (int i = 0; i < static_cast<int>(sizeof(V) / sizeof(x[0])); ++i)
    y[i] = static_cast<std::remove_reference_t<decltype(y[0])>>(f(static_cast<double>(x[i]), i));
  return y;
}

}  // namespace

#define GRADUS_VECTOR(name, suffix, V, lanes)                                                                        \
  GRADUS_VECTOR_CALL V library_##name##suffix(V) noexcept asm("_ZGV" GRADUS_SET "N" lanes "v_" #name #suffix);       \
  GRADUS_VECTOR_CALL V vector_##name##suffix(V) noexcept asm("_ZGV" GRADUS_SET "N" lanes "v_gradus_" #name #suffix); \
  GRADUS_VECTOR_CALL V vector_##name##suffix(V x) noexcept {                                                         \
    if (!is_portable()) return library_##name##suffix(x);                                                            \
    return each(x, [](double v, int) { return own::name(v); });                                                      \
  }
#define GRADUS_VECTORS(name) GRADUS_VECTOR(name, , Doubles, "2") GRADUS_VECTOR(name, f, Floats, "4")
#define GRADUS_VECTOR_OF_TWO(name, suffix, V, lanes)                                                                  \
  GRADUS_VECTOR_CALL V library_##name##suffix(V, V) noexcept asm("_ZGV" GRADUS_SET "N" lanes "vv_" #name #suffix);    \
  GRADUS_VECTOR_CALL V vector_##name##suffix(V,                                                                       \
                                             V) noexcept asm("_ZGV" GRADUS_SET "N" lanes "vv_gradus_" #name #suffix); \
  GRADUS_VECTOR_CALL V vector_##name##suffix(V x, V y) noexcept {                                                     \
    if (!is_portable()) return library_##name##suffix(x, y);                                                          \
    return each(x, [y](double v, int i) { return own::name(v, static_cast<double>(y[i])); });                         \
  }

extern "C" {
GRADUS_VECTORS(exp)
GRADUS_VECTORS(log)
GRADUS_VECTORS(sin)
GRADUS_VECTORS(cos)
GRADUS_VECTOR_OF_TWO(pow, , Doubles, "2")
GRADUS_VECTOR_OF_TWO(pow, f, Floats, "4")
#if GRADUS_HAS_VECTOR_MATH(2, 35)
GRADUS_VECTORS(expm1)
GRADUS_VECTORS(log1p)
GRADUS_VECTORS(log2)
GRADUS_VECTORS(log10)
GRADUS_VECTORS(tan)
GRADUS_VECTORS(atan)
GRADUS_VECTORS(tanh)
GRADUS_VECTORS(erf)
#endif
}

#endif
