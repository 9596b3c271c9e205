// Formulas of element-wise operations: functions of one element, which need no Tensor. Loops of every device are made
// of them, by the compiler of the library and by those of other devices (kernels/dispatch/loop.h says how).
//
// What a formula says about its derivatives in words of tensors is a template: it is compiled in src/ops alone.
#pragma once

#include <gradus/core/dtype.h>
#include <gradus/core/scalar.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/inline.h"

namespace gradus::ops {

// Which types an operation computes in; others are converted (integers to float32) or refused.
enum class Types { floating, numeric, all };

struct Uses {
  bool a = false, b = false;
};

template <class F>
constexpr Types types_of() {
  if constexpr (requires { F::types; }) {
    return F::types;
  } else {
    return Types::floating;
  }
}

// Integers wrap around; a signed overflow in C++ itself would be undefined.
template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
GRADUS_INLINE T wrapping_mul(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a * b;
  } else {
    return static_cast<T>(Unsigned<T>(a) * Unsigned<T>(b));
  }
}
template <class T>
GRADUS_INLINE T wrapping_add(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a + b;
  } else {
    return static_cast<T>(Unsigned<T>(a) + Unsigned<T>(b));
  }
}
template <class T>
GRADUS_INLINE T wrapping_neg(T a) {
  if constexpr (std::is_floating_point_v<T>) {
    return -a;
  } else {
    return static_cast<T>(Unsigned<T>(0) - Unsigned<T>(a));
  }
}

template <class F>
constexpr bool from_output() {
  if constexpr (requires { F::from_output; }) {
    return F::from_output;
  } else {
    return false;
  }
}

// g * df(x): the derivative in one pass.
template <class F>
struct Slope {
  static constexpr const char* name = F::name;
  F formula;
  template <class T>
  GRADUS_INLINE T f(T g, T x) const {
    if constexpr (std::is_same_v<decltype(formula.df(x)), bool>) {
      return formula.df(x) ? g : T(0);
    } else {
      return g * formula.df(x);
    }
  }
};

// A Scalar that code of GPUs can read.
class PlainScalar {
 public:
  PlainScalar(const Scalar& value) : is_floating_(value.kind() == Dtype::Float64) {
    if (is_floating_) {
      floating_ = value.as<double>();
    } else {
      integer_ = value.as<std::int64_t>();
      is_bool_ = value.kind() == Dtype::Bool;
    }
  }
  operator Scalar() const {
    return is_floating_ ? Scalar(floating_) : is_bool_ ? Scalar(integer_ != 0) : Scalar(integer_);
  }
  template <class T>
  GRADUS_INLINE T as() const {
    return is_floating_ ? static_cast<T>(floating_) : static_cast<T>(integer_);
  }

 private:
  bool is_floating_, is_bool_ = false;
  union {
    std::int64_t integer_;
    double floating_;
  };
};

enum class Side { left, right };  // where the number stands

template <class F, Side side>
struct WithNumber {
  static constexpr const char* name = F::name;
  static constexpr Types types = types_of<F>();
  F formula;
  PlainScalar number;
  template <class T>
  GRADUS_INLINE auto f(T x) const {
    if constexpr (side == Side::left) {
      return formula.f(number.as<T>(), x);
    } else {
      return formula.f(x, number.as<T>());
    }
  }
};

}  // namespace gradus::ops
