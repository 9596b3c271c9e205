// Means and squared deviations. Sums are of distances from the first value, so that equal values have that value for
// their mean and no deviation at all, whatever their size.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/cpu/reduce/reduce_rows.h"
#include "kernels/cpu/simd/bfloat16.h"
#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

// Of a row, summed as W. Two passes; the second one finds the row in the cache.
template <class T, class W = T>
struct RowMomentsBody {
  GRADUS_INLINE static void run(const T* x, std::int64_t n, double* mean, double* square) {
    const W first = std::isfinite(x[0]) ? x[0] : 0;  // where one is infinite, so is the mean
    const W shift =
        reduce_row<SumOf<W>, W>(n, [=](std::int64_t i) GRADUS_LAMBDA { return x[i] - first; }) / static_cast<W>(n);
    const W rounded = first + shift;
    const W squares =
        reduce_row<SumOf<W>, W>(n, [=](std::int64_t i) GRADUS_LAMBDA { return (x[i] - rounded) * (x[i] - rounded); });
    *mean = static_cast<double>(first) + static_cast<double>(shift);
    const double off = static_cast<double>(rounded) - *mean;
    *square = static_cast<double>(squares) - static_cast<double>(n) * off * off;
  }
};

// Of columns, in float64: sums of distances from the first row, and of squared distances from means.
template <class T>
struct ColumnSumBody {
  GRADUS_INLINE static void run(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t width, double* sum) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = 0; j < width; ++j)
        sum[j] += static_cast<double>(wide(x[r * stride + j])) - static_cast<double>(wide(x[j]));
  }
};

template <class T>
struct ColumnSquareBody {
  GRADUS_INLINE static void run(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t width,
                                const double* mean, double* sum) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < width; ++j) {
        const double d = static_cast<double>(wide(x[r * stride + j])) - mean[j];
        sum[j] += d * d;
      }
    }
  }
};

// Means, and sums of squared deviations from them; both start as zeros.
template <class T>
void column_moments(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t width, double* mean,
                    double* square) {
  simd_call<ColumnSumBody<T>>(x, rows, stride, width, mean);
  for (std::int64_t j = 0; j < width; ++j)
    mean[j] = static_cast<double>(wide(x[j])) + mean[j] / static_cast<double>(rows);
  simd_call<ColumnSquareBody<T>>(x, rows, stride, width, static_cast<const double*>(mean), square);
}

// Whether squares were taken well enough in float32: none beyond its range, and what was lost below it does not count
// beside `floor`, which is added to their mean.
inline bool squares_held(double square, std::int64_t count, double floor) {
  return square <= static_cast<double>(std::numeric_limits<float>::max()) &&
         square / static_cast<double>(count) + floor >= 1e-30;
}

// How the moments of parts meet (Chan, Golub and LeVeque, 1979).
struct Spread {
  double count = 0, mean = 0, square = 0;

  void join(double own_count, double own_mean, double own_square) {
    const double delta = own_mean - mean, before = count;
    count += own_count;
    mean += delta * own_count / count;
    square += own_square + (before > 0 ? delta * delta * own_count * before / count : 0);
  }
  double variance() const { return square < 0 ? 0 : square / count; }
};

}  // namespace gradus::cpu
