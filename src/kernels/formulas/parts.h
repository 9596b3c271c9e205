// Parts of a number: what stands before the point, the rest of a division, the sign, and single bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/formulas/formula.h"

namespace gradus::ops {

struct Trunc {
  static constexpr const char* name = "trunc";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::trunc(x);
    return x;
  }
};

// With the sign of the dividend, as C's %.
struct Fmod {
  static constexpr const char* name = "fmod";
  static constexpr Types types = Types::numeric;
  static constexpr Uses da_uses{}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else {
      if (std::is_signed_v<T> && wrapping_neg(b) == T(1)) return 0;  // the smallest integer by -1 overflows
      return static_cast<T>(a % b);
    }
  }
  template <class X>
  X da(const X& g, const X&, const X&) const {
    return g;
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return -g * trunc(a / b);
  }
};

struct Copysign {
  static constexpr const char* name = "copysign";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    return std::copysign(a, b);
  }
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    return where(a == 0, number(0.0, g), g * (copysign(a, b) / a));
  }
  template <class X>
  X db(const X& g, const X&, const X&) const {
    return zeros_like(g);
  }
};

// Unsigned numbers are not compared with 0, which compilers warn of.
template <class T>
GRADUS_INLINE bool below_zero(T x) {
  if constexpr (std::is_signed_v<T>) return x < 0;
  return false;
}

struct Signbit {
  static constexpr const char* name = "signbit";
  template <class T>
  GRADUS_INLINE bool f(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::copysign(T(1), x) < 0;
    return below_zero(x);
  }
};

// --- bits: the callers refuse floating-point numbers

#define GRADUS_BITS(Name, label, expression)             \
  struct Name {                                          \
    static constexpr const char* name = label;           \
    static constexpr Types types = Types::all;           \
    template <class T>                                   \
    GRADUS_INLINE T f(T a, [[maybe_unused]] T b) const { \
      if constexpr (std::is_floating_point_v<T>) {       \
        return a;                                        \
      } else {                                           \
        return static_cast<T>(expression);               \
      }                                                  \
    }                                                    \
  };
GRADUS_BITS(BitwiseAnd, "bitwise_and", a& b)
GRADUS_BITS(BitwiseOr, "bitwise_or", a | b)
GRADUS_BITS(BitwiseXor, "bitwise_xor", a ^ b)
#undef GRADUS_BITS

// By all bits or more nothing is left, and to the right the sign; by a negative number likewise, as in PyTorch.
struct LeftShift {
  static constexpr const char* name = "bitwise_left_shift";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a;
    } else {
      constexpr T bits = 8 * sizeof(T);
      const bool beyond = below_zero(b) | (b >= bits);
      return beyond ? T(0) : static_cast<T>(static_cast<std::uint64_t>(a) << (beyond ? T(0) : b));
    }
  }
};

struct RightShift {
  static constexpr const char* name = "bitwise_right_shift";
  static constexpr Types types = Types::numeric;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a;
    } else {
      constexpr T bits = 8 * sizeof(T);
      const bool beyond = below_zero(b) | (b >= bits);
      if constexpr (std::is_signed_v<T>) return static_cast<T>(a >> (beyond ? static_cast<T>(bits - 1) : b));
      return beyond ? T(0) : static_cast<T>(a >> (beyond ? T(0) : b));
    }
  }
};

}  // namespace gradus::ops
