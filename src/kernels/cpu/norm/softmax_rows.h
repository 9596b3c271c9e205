// Softmax of rows inside a SIMD body.
#pragma once

#include <cmath>

#include "kernels/cpu/reduce/reduce_rows.h"
#include "kernels/math.h"

namespace gradus::cpu {

// Rows shorter than reduce_row's lanes go through the compiler's own reductions, which end in registers. A NaN that
// `max` passes over comes back in the sum of the exponentials.
template <class T>
GRADUS_INLINE T row_max(const T* x, std::int64_t n) {
  if (n >= kLanes<T>) return reduce_row<ExtremeOf<T, true>, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return x[i]; });
  T top = ExtremeOf<T, true>::identity;
#pragma omp simd reduction(max : top)
  for (std::int64_t i = 0; i < n; ++i) top = x[i] > top ? x[i] : top;
  return top;
}

template <class T>
GRADUS_INLINE T row_sum(const T* x, std::int64_t n) {
  if (n >= kLanes<T>) return reduce_row<SumOf<T>, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return x[i]; });
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

// y = softmax(x) or its logarithm, for `rows` rows of n > 0. Where a NoRow is not given, `row(r, largest, log_sum)` is
// told of each row its largest element and log(sum(exp(x - largest))), and y may be null if that is all that is wanted.
//
// Short rows are taken several at a time, so that exp runs over whole vectors also where a row is shorter than one.
struct NoRow {
  template <class T>
  GRADUS_INLINE void operator()(std::int64_t, T, T) const {}
};

template <class T, bool log, class Row>
GRADUS_INLINE void softmax_rows(const T* x, T* y, std::int64_t rows, std::int64_t n, Row row) {
  constexpr bool logs = log || !std::is_same_v<Row, NoRow>;
  constexpr std::int64_t block = 1024;
  alignas(64) T e[block], top[block], sums[block], log_sums[block];
  if (n <= block) {
    const std::int64_t together = block / n;
    for (std::int64_t first = 0; first < rows; first += together) {
      const std::int64_t count = rows - first < together ? rows - first : together;
      const T* from = x + first * n;
      for (std::int64_t r = 0; r < count; ++r) {
        const T* in = from + r * n;
        top[r] = row_max(in, n);
        for (std::int64_t i = 0; i < n; ++i) e[r * n + i] = in[i] - top[r];
      }
      for (std::int64_t i = 0; i < count * n; ++i) e[i] = math::exp(e[i]);
      for (std::int64_t r = 0; r < count; ++r) {
        sums[r] = row_sum(e + r * n, n);
      }
      if constexpr (logs) {
        for (std::int64_t r = 0; r < count; ++r) log_sums[r] = math::log(sums[r]);
        for (std::int64_t r = 0; r < count; ++r) row(first + r, top[r], log_sums[r]);
      }
      if (y == nullptr) continue;
      for (std::int64_t r = 0; r < count; ++r) {
        T* out = y + (first + r) * n;
        if constexpr (log) {
          for (std::int64_t i = 0; i < n; ++i) out[i] = from[r * n + i] - top[r] - log_sums[r];
        } else {
          const T scale = 1 / sums[r];
          for (std::int64_t i = 0; i < n; ++i) out[i] = e[r * n + i] * scale;
        }
      }
    }
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* in = x + r * n;
    const T largest = row_max(in, n);
    T s = 0;
    for (std::int64_t begin = 0; begin < n; begin += block) {
      const std::int64_t length = n - begin < block ? n - begin : block;
      const T* piece = in + begin;
      for (std::int64_t i = 0; i < length; ++i) e[i] = math::exp(piece[i] - largest);
      s += row_sum(static_cast<const T*>(e), length);
      if (log || y == nullptr) continue;
      for (std::int64_t i = 0; i < length; ++i) y[r * n + begin + i] = e[i];
    }
    const T log_sum = logs ? math::log(s) : T(0);
    row(r, largest, log_sum);
    if (y == nullptr) continue;
    T* out = y + r * n;
    if constexpr (log) {
      for (std::int64_t i = 0; i < n; ++i) out[i] = in[i] - largest - log_sum;
    } else {
      const T scale = 1 / s;
      for (std::int64_t i = 0; i < n; ++i) out[i] *= scale;
    }
  }
}

}  // namespace gradus::cpu
