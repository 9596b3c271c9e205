// What kernels/math.h declares, of single numbers. (With its declarations, GCC would make functions of vectors of these
// definitions, too.)
#include <cmath>

#include "core/portable.h"
#include "kernels/cpu/math/own.h"

namespace own = gradus::cpu::own;
using gradus::core::is_portable;

#define GRADUS_MATH(name)                                                                         \
  double gradus_##name(double x) noexcept { return is_portable() ? own::name(x) : std::name(x); } \
  float gradus_##name##f(float x) noexcept {                                                      \
    return is_portable() ? static_cast<float>(own::name(static_cast<double>(x))) : std::name(x);  \
  }
#define GRADUS_MATH_OF_TWO(name)                                                                                  \
  double gradus_##name(double x, double y) noexcept { return is_portable() ? own::name(x, y) : std::name(x, y); } \
  float gradus_##name##f(float x, float y) noexcept {                                                             \
    return is_portable() ? static_cast<float>(own::name(static_cast<double>(x), static_cast<double>(y)))          \
                         : std::name(x, y);                                                                       \
  }

extern "C" {
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
}
