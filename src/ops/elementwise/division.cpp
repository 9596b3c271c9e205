// Division that rounds down, and what is left of it: Python's // and %.
#include <gradus/ops.h>

#include <cmath>

#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

struct Remainder {
  static constexpr const char* name = "remainder";
  static constexpr Types types = Types::numeric;
  static constexpr Uses da_uses{}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      const T rest = std::fmod(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    } else {
      if (std::is_signed_v<T> && wrapping_neg(b) == T(1)) return 0;  // the smallest integer by -1 overflows
      const T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    }
  }
  Tensor da(const Tensor& g, const Tensor&, const Tensor&) const { return g; }
  Tensor db(const Tensor& g, const Tensor& a, const Tensor& b) const { return -g * floor_divide(a, b); }
};

// As Python: exact where a / b rounds up to a whole number that it does not reach.
struct FloorDivide {
  static constexpr const char* name = "floor_divide";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (b == 0) return a / b;
      const T rest = std::fmod(a, b);
      T quotient = (a - rest) / b;
      if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
      if (quotient == 0) return std::copysign(T(0), a / b);
      const T whole = std::floor(quotient);
      return quotient - whole > T(0.5) ? whole + 1 : whole;
    } else {
      if (std::is_signed_v<T> && wrapping_neg(b) == T(1)) return wrapping_neg(a);
      const T quotient = static_cast<T>(a / b);
      return a % b != 0 && (a < 0) != (b < 0) ? static_cast<T>(quotient - 1) : quotient;
    }
  }
};

void refuse_zero(const char* name, const Tensor& a, const Tensor& b) {
  if (!is_integral(a.dtype()) || !is_integral(b.dtype())) return;
  if (any(b == 0).item<bool>()) throw ValueError(std::string(name) + ": an integer divisor is zero");
}

}  // namespace

Tensor remainder(const Tensor& a, const Tensor& b) {
  refuse_zero("remainder", a, b);
  return binary(Remainder{}, a, b);
}

// Steps have no useful gradient; as in PyTorch the result is outside of every graph.
Tensor floor_divide(const Tensor& a, const Tensor& b) {
  refuse_zero("floor_divide", a, b);
  return binary_forward(FloorDivide{}, a, b);
}

}  // namespace gradus
