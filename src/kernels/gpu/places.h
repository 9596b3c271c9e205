// Where the elements of strided operands lie, element for element.
#pragma once

#include <gradus/core/dtype.h>
#include <gradus/core/shape.h>

#include <array>
#include <span>

#include "kernels/gpu/launch.h"

namespace gradus::gpu {

// The place of element i of each of N operands. Dimensions that follow each other in all operands are one, and where
// all operands are dense in the same order, there is nothing to compute.
template <int N>
struct Places {
  std::int64_t sizes[kMaxRank];
  std::int64_t strides[N][kMaxRank];
  int rank = 0;
  bool flat = false;

  // Dimensions are taken in the order in which they follow each other in the memory of the first operand.
  Places(const Shape& all, const std::array<const Shape*, N>& own) {
    int order[kMaxRank], count = 0;
    for (int i = 0; i < all.rank(); ++i) {
      if (all[i] == 1) continue;
      int j = count++;
      for (; j > 0 && (*own[0])[order[j - 1]] < (*own[0])[i]; --j) order[j] = order[j - 1];
      order[j] = i;
    }
    for (int k = 0; k < count; ++k) {
      const int i = order[k];
      bool follows = rank > 0;
      for (int o = 0; o < N && follows; ++o) follows = strides[o][rank - 1] == (*own[o])[i] * all[i];
      if (!follows) sizes[rank++] = 1;
      sizes[rank - 1] *= all[i];
      for (int o = 0; o < N; ++o) strides[o][rank - 1] = (*own[o])[i];
    }
    flat = rank <= 1;
    for (int o = 0; o < N && rank == 1; ++o) flat = flat && strides[o][0] == 1;
  }

  GRADUS_DEVICE void find(std::int64_t i, std::int64_t (&at)[N]) const {
    for (int o = 0; o < N; ++o) at[o] = flat ? i : 0;
    if (flat) return;
    for (int d = rank - 1; d >= 0; --d) {
      const std::int64_t rest = i / sizes[d], k = i - rest * sizes[d];
      i = rest;
      for (int o = 0; o < N; ++o) at[o] += k * strides[o][d];
    }
  }
};

// Calls fn with a number of an element's size, for what moves elements and does not compute with them.
template <class Fn>
void with_bits(Dtype dtype, const Fn& fn) {
  switch (element_size(dtype)) {
    case 1:
      return fn(std::uint8_t());
    case 2:
      return fn(std::uint16_t());
    case 4:
      return fn(std::uint32_t());
    default:
      return fn(std::uint64_t());
  }
}

}  // namespace gradus::gpu
