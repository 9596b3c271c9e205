// What is made of sums: means, deviations and their reciprocals.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/formulas/formula.h"

namespace gradus::ops {

// Values that are all equal are 0 when normalised, also without an eps.
struct InverseRoot {
  double eps;
  template <class T>
  GRADUS_INLINE T f(T v) const {
    return v + eps == 0 ? 0 : 1 / std::sqrt(v + eps);
  }
};

struct DivideBy {
  static constexpr const char* name = "mean";
  std::int64_t divisor;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x / static_cast<T>(divisor);
  }
};

// From the mean square deviation.
struct OfMeanSquare {
  static constexpr const char* name = "var";
  double count, freedom;
  bool root;
  template <class T>
  GRADUS_INLINE T f(T mean) const {
    const T value = mean * static_cast<T>(count) / static_cast<T>(freedom);
    return root ? std::sqrt(value) : value;
  }
};

}  // namespace gradus::ops
