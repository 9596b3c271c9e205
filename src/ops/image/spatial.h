// Checks of the sizes along the dimensions of an image.
#pragma once

#include <gradus/core/error.h>
#include <gradus/core/shape.h>
#include <gradus/ops/spatial.h>

#include <limits>

namespace gradus::ops {

template <int N>
std::string list(const Spatial<N>& values) {
  Shape shape;
  for (int i = 0; i < N; ++i) shape.push_back(values[i]);
  return to_string(shape);
}

// The upper bound keeps sums and products of sizes from overflowing.
template <int N>
void check_at_least(const char* call, const char* what, const Spatial<N>& values, std::int64_t least) {
  for (int i = 0; i < N; ++i) {
    if (values[i] < least || values[i] > std::numeric_limits<std::int32_t>::max()) {
      throw ValueError(std::string(call) + ": " + what + " must be at least " + std::to_string(least) +
                       " and at most 2^31 - 1, got " + list(values));
    }
  }
}

}  // namespace gradus::ops
