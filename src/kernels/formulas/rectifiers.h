// relu and leaky_relu, which also run as the end of a linear layer.
#pragma once

#include "kernels/formulas/formula.h"

namespace gradus::ops {

// The order of arguments keeps a NaN.
template <class T>
GRADUS_INLINE T positive_part(T x) {
  return x < 0 ? T(0) : x;
}

struct Relu {
  static constexpr const char* name = "relu";
  static constexpr Types types = Types::numeric;
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return positive_part(x);
  }
  template <class T>
  GRADUS_INLINE bool df(T y) const {
    return !(y <= 0);
  }
};

struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  double slope;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x > 0 ? x : x * static_cast<T>(slope);
  }
  template <class T>
  GRADUS_INLINE T df(T x) const {
    return x > 0 ? T(1) : static_cast<T>(slope);
  }
};

// With a slope of at least 0, the result is positive where the input is.
struct LeakyReluOfResult : LeakyRelu {
  static constexpr bool from_output = true;
};

}  // namespace gradus::ops
