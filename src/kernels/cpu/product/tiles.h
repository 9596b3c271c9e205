// The innermost loops of a matrix product, which direct_gemm and PackedMatrix share.
#pragma once

#include <cstdint>

#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

// C is computed in tiles of a few rows by one or two vectors, which stay in registers while p runs.
template <class T, int kBytes>
struct Tiles {
  // GCC's vectors have any width on any target, and may alias their elements.
  typedef T Vector __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  static constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));

  struct Product {
    std::int64_t k;
    T alpha;
    const T* a;
    std::int64_t a_row, a_col;
    const T* b;
    std::int64_t ldb;
    T beta;
    T* c;
    std::int64_t ldc;
    const T* bias;  // of these columns, or null
  };

  template <int kRows, int kWide>
  GRADUS_INLINE static void tile(const Product& x) {
    Vector sums[kRows][kWide];
    for (auto& row : sums)
      for (auto& sum : row) sum = Vector{};
    const T *a = x.a, *b = x.b;
    for (std::int64_t p = 0; p < x.k; ++p, a += x.a_col, b += x.ldb) {
      Vector right[kWide];
      for (int v = 0; v < kWide; ++v) right[v] = *reinterpret_cast<const Vector*>(b + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const T left = a[r * x.a_row];
#pragma GCC unroll 2
        for (int v = 0; v < kWide; ++v) sums[r][v] += left * right[v];
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kWide; ++v) {
        Vector& out = *reinterpret_cast<Vector*>(x.c + r * x.ldc + v * kLanes);
        Vector sum = x.alpha * sums[r][v];
        if (x.bias != nullptr) sum += *reinterpret_cast<const Vector*>(x.bias + v * kLanes);
        out = x.beta == T(0) ? sum : sum + x.beta * out;
      }
    }
  }

  template <int kWide, int kMost>
  GRADUS_INLINE static void tile_of(int rows, const Product& x) {
    switch (rows) {
#define GRADUS_ROWS(n)                           \
  case n:                                        \
    if constexpr (n <= kMost) tile<n, kWide>(x); \
    break;
      GRADUS_ROWS(1)
      GRADUS_ROWS(2)
      GRADUS_ROWS(3)
      GRADUS_ROWS(4)
      GRADUS_ROWS(5)
      GRADUS_ROWS(6)
      GRADUS_ROWS(7)
      GRADUS_ROWS(8)
      GRADUS_ROWS(9)
      GRADUS_ROWS(10)
      GRADUS_ROWS(11)
      GRADUS_ROWS(12)
      GRADUS_ROWS(13)
      GRADUS_ROWS(14)
#undef GRADUS_ROWS
      default:
        break;
    }
  }

  GRADUS_INLINE static void pack(std::int64_t k, std::int64_t width, std::int64_t padded, const T* b,
                                 std::int64_t b_row, std::int64_t b_col, T* to) {
    for (std::int64_t p = 0; p < k; ++p, b += b_row, to += padded) {
      for (std::int64_t j = 0; j < width; ++j) to[j] = b[j * b_col];
      for (std::int64_t j = width; j < padded; ++j) to[j] = T(0);
    }
  }

  // Writes the first `width` columns of a tile that stands elsewhere, as the tile would have written all of them.
  GRADUS_INLINE static void store_part(const T* tile, std::int64_t padded, int rows, std::int64_t width,
                                       const Product& x) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t q = 0; q < width; ++q) {
        T value = tile[r * padded + q];
        if (x.bias != nullptr) value += x.bias[q];
        T& out = x.c[r * x.ldc + q];
        out = x.beta == T(0) ? value : value + x.beta * out;
      }
    }
  }

  // Up to 2 * kLanes columns of C, from top to bottom.
  template <int kWide, int kMost>
  GRADUS_INLINE static void panel(std::int64_t m, std::int64_t width, Product x) {
    constexpr std::int64_t kPadded = kWide * kLanes;
    alignas(64) T partial[kMost * kPadded];
    // Tiles of nearly equal height: one of a single row would wait for its own sums.
    const std::int64_t tiles = (m + kMost - 1) / kMost, height = m / tiles, higher = m % tiles;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const int rows = static_cast<int>(height + (t < higher));
      Product y = x;
      if (width < kPadded) {
        y.beta = T(0);
        y.c = partial;
        y.ldc = kPadded;
        y.bias = nullptr;
      }
      tile_of<kWide, kMost>(rows, y);
      if (width < kPadded) store_part(partial, kPadded, rows, width, x);
      x.a += rows * x.a_row;
      x.c += rows * x.ldc;
    }
  }
};

}  // namespace gradus::cpu
