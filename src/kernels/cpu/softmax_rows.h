// Softmax of rows inside a SIMD body.
#pragma once

#include <cmath>

#include "kernels/cpu/reduce_rows.h"

namespace gradus::cpu {

// y = softmax(x) or its logarithm, for `rows` rows of n > 0; y may be null if only what `row(r, largest, sum)` is told
// is wanted: x[r]'s largest element, and the sum of exp(x[r] - largest).
//
// Short rows are taken several at a time, so that exp runs over whole vectors also where a row is shorter than one.
template <class T, bool log, class Row>
GRADUS_INLINE void softmax_rows(const T* x, T* y, std::int64_t rows, std::int64_t n, Row row) {
  constexpr std::int64_t block = 1024;
  alignas(64) T e[block];
  T top[block];
  if (n <= block) {
    const std::int64_t together = block / n;
    for (std::int64_t first = 0; first < rows; first += together) {
      const std::int64_t count = rows - first < together ? rows - first : together;
      const T* from = x + first * n;
      for (std::int64_t r = 0; r < count; ++r) {
        const T* in = from + r * n;
        const T largest = reduce_row<ExtremeOf<T, true>, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return in[i]; });
        top[r] = largest;
        for (std::int64_t i = 0; i < n; ++i) e[r * n + i] = in[i] - largest;
      }
      for (std::int64_t i = 0; i < count * n; ++i) e[i] = std::exp(e[i]);
      for (std::int64_t r = 0; r < count; ++r) {
        const T* es = e + r * n;
        const T s = reduce_row<SumOf<T>, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return es[i]; });
        row(first + r, top[r], s);
        if (y == nullptr) continue;
        T* out = y + (first + r) * n;
        if (log) {
          const T shift = std::log(s);
          for (std::int64_t i = 0; i < n; ++i) out[i] = from[r * n + i] - top[r] - shift;
        } else {
          const T scale = 1 / s;
          for (std::int64_t i = 0; i < n; ++i) out[i] = es[i] * scale;
        }
      }
    }
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* in = x + r * n;
    const T largest = reduce_row<ExtremeOf<T, true>, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return in[i]; });
    T s = 0;
    for (std::int64_t begin = 0; begin < n; begin += block) {
      const std::int64_t length = n - begin < block ? n - begin : block;
      const T* piece = in + begin;
      for (std::int64_t i = 0; i < length; ++i) e[i] = std::exp(piece[i] - largest);
      const T* es = e;
      s += reduce_row<SumOf<T>, T>(length, [=](std::int64_t i) GRADUS_LAMBDA { return es[i]; });
      if (y == nullptr || log) continue;
      for (std::int64_t i = 0; i < length; ++i) y[r * n + begin + i] = e[i];
    }
    row(r, largest, s);
    if (y == nullptr) continue;
    T* out = y + r * n;
    if (log) {
      const T shift = std::log(s);
      for (std::int64_t i = 0; i < n; ++i) out[i] = in[i] - largest - shift;
    } else {
      const T scale = 1 / s;
      for (std::int64_t i = 0; i < n; ++i) out[i] *= scale;
    }
  }
}

}  // namespace gradus::cpu
