// What is reduced to: `combine` of what is there already and one more. Integers wrap around, as PyTorch's do.
#pragma once

#include <limits>
#include <type_traits>

#include "kernels/gpu/launch.h"

namespace gradus::gpu {

template <class T>
using Wrapping = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;

template <class T>
struct SumOf {
  GRADUS_DEVICE static T identity() { return 0; }
  GRADUS_DEVICE static T combine(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
};

template <class T>
struct ProdOf {
  GRADUS_DEVICE static T identity() { return 1; }
  GRADUS_DEVICE static T combine(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
};

// A NaN wins over every number.
template <class T, bool largest>
struct ExtremeOf {
  GRADUS_DEVICE static T identity() {
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return largest ? -Limits::infinity() : Limits::infinity();
    return largest ? Limits::lowest() : Limits::max();
  }
  GRADUS_DEVICE static T combine(T a, T b) {
    if (b != b || a != a) return b != b ? b : a;
    return (largest ? b > a : b < a) ? b : a;
  }
};

}  // namespace gradus::gpu
