// Choosing between elements: where, maximum, minimum, clamp, lerp.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/formulas/formula.h"

namespace gradus::ops {

struct Select {
  static constexpr const char* name = "where";
  template <class T>
  GRADUS_INLINE T f(T condition, T a, T b) const {
    return condition != 0 ? a : b;
  }
};

// g where the condition is `kept`, else zero, also for infinite g.
template <bool kept>
struct Mask {
  static constexpr const char* name = "where";
  template <class T>
  GRADUS_INLINE T f(T g, T condition) const {
    return (condition != 0) == kept ? g : T(0);
  }
};

// The larger of two. A NaN on either side is the result.
template <int sign>
GRADUS_INLINE bool beats(auto a, auto b) {
  return sign > 0 ? a > b : a < b;
}

// The part of g that belongs to the first of two: nothing where the second won, half where they are equal.
template <int sign>
struct Share {
  static constexpr const char* name = sign > 0 ? "maximum" : "minimum";
  template <class T>
  GRADUS_INLINE T f(T g, T a, T b) const {
    const T part = a == b ? g / 2 : g;
    return beats<sign>(b, a) ? T(0) : part;
  }
};

template <int sign>
struct Extremum {
  static constexpr const char* name = Share<sign>::name;
  static constexpr Types types = Types::all;
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    const T larger = beats<sign>(b, a) ? b : a;
    return b != b ? b : larger;
  }
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    return linear_in(Share<sign>{}, g, a, b);
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return linear_in(Share<sign>{}, g, b, a);
  }
};

// `value` in T, or T's nearest.
template <class T>
GRADUS_INLINE T saturated(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(value);
  }
}

struct Clamp {
  static constexpr const char* name = "clamp";
  static constexpr Types types = Types::numeric;
  double min, max;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    const T low = saturated<T>(min), high = saturated<T>(max);
    const T raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
  template <class T>
  GRADUS_INLINE bool df(T x) const {
    return (x >= static_cast<T>(min)) & (x <= static_cast<T>(max));
  }
};

struct Lerp {
  static constexpr const char* name = "lerp";
  static constexpr Uses da_uses{}, db_uses{};
  double weight;
  // From the nearer end, so that weights of 0 and 1 give the ends exactly.
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    const T w = static_cast<T>(weight);
    return weight < 0.5 ? a + w * (b - a) : b - (b - a) * (1 - w);
  }
  template <class X>
  X da(const X& g, const X&, const X&) const {
    return g * (1 - weight);
  }
  template <class X>
  X db(const X& g, const X&, const X&) const {
    return g * weight;
  }
};

}  // namespace gradus::ops
