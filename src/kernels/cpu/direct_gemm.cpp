#include "kernels/cpu/direct_gemm.h"

#include <algorithm>

#include "kernels/cpu/simd.h"

namespace gradus::cpu {

namespace {

// C is computed in tiles of a few rows by one or two vectors, which stay in registers while p runs. B is read where it
// stands if its rows are contiguous and fill whole vectors, else through a packed copy; A is read one element at a
// time, so that its layout does not matter.
template <class T, int kBytes>
struct DirectGemm {
  // GCC's vectors have any width on any target, and may alias their elements.
  typedef T Vector __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  static constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));
  static constexpr int kRegisters = kBytes == 64 ? 32 : 16;
  static constexpr int kRows2 = kRegisters == 32 ? 12 : 5;  // rows of a tile two vectors wide
  static constexpr int kRows1 = kRegisters == 32 ? 12 : 8;  // rows of a tile one vector wide
  static constexpr std::int64_t kDepth = 256;               // of a packed block of B

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
        const Vector sum = x.alpha * sums[r][v];
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

  GRADUS_INLINE static void run(std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a, std::int64_t a_row,
                                std::int64_t a_col, const T* b, std::int64_t b_row, std::int64_t b_col, T beta, T* c,
                                std::int64_t ldc) {
    alignas(64) T packed[kDepth * 2 * kLanes];
    alignas(64) T partial[std::max(kRows2 * 2, kRows1) * kLanes];
    for (std::int64_t p = 0; p < k || p == 0; p += kDepth) {
      const std::int64_t depth = std::min(kDepth, k - p);
      for (std::int64_t j = 0; j < n; j += 2 * kLanes) {
        const std::int64_t width = std::min<std::int64_t>(2 * kLanes, n - j);
        const int wide = width > kLanes ? 2 : 1;
        const std::int64_t padded = wide * kLanes;
        const bool whole = width == padded;
        Product x{depth, alpha, nullptr, a_row, a_col, b + p * b_row + j * b_col, b_row, p ? T(1) : beta, nullptr, 0};
        if (b_col != 1 || !whole) {
          pack(depth, width, padded, x.b, b_row, b_col, packed);
          x.b = packed;
          x.ldb = padded;
        }
        // Tiles of nearly equal height: one of a single row would wait for its own sums.
        const std::int64_t most = wide == 2 ? kRows2 : kRows1;
        const std::int64_t tiles = (m + most - 1) / most, height = m / tiles, higher = m % tiles;
        std::int64_t i = 0;
        for (std::int64_t t = 0; t < tiles; ++t) {
          const int rows = static_cast<int>(height + (t < higher));
          const T old = x.beta;
          x.a = a + i * a_row + p * a_col;
          T* out = c + i * ldc + j;
          x.c = whole ? out : partial;
          x.ldc = whole ? ldc : padded;
          if (!whole) x.beta = T(0);
          if (wide == 2) {
            tile_of<2, kRows2>(rows, x);
          } else {
            tile_of<1, kRows1>(rows, x);
          }
          if (!whole) {
            x.beta = old;
            for (std::int64_t r = 0; r < rows; ++r)
              for (std::int64_t q = 0; q < width; ++q)
                out[r * ldc + q] = partial[r * padded + q] + (old == T(0) ? T(0) : old * out[r * ldc + q]);
          }
          i += rows;
        }
      }
    }
  }
};

}  // namespace

template <class T>
void direct_gemm(std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a, std::int64_t a_row,
                 std::int64_t a_col, const T* b, std::int64_t b_row, std::int64_t b_col, T beta, T* c,
                 std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  // The width of a vector is part of the body here, so the choice that simd_call makes is made by hand.
  switch (current_isa()) {
    case Isa::v4:
      return detail::call_v4<DirectGemm<T, 64>>(m, n, k, alpha, a, a_row, a_col, b, b_row, b_col, beta, c, ldc);
    case Isa::v3:
      return detail::call_v3<DirectGemm<T, 32>>(m, n, k, alpha, a, a_row, a_col, b, b_row, b_col, beta, c, ldc);
    case Isa::base:
      break;
  }
  detail::call_base<DirectGemm<T, 16>>(m, n, k, alpha, a, a_row, a_col, b, b_row, b_col, beta, c, ldc);
}

template void direct_gemm(std::int64_t, std::int64_t, std::int64_t, float, const float*, std::int64_t, std::int64_t,
                          const float*, std::int64_t, std::int64_t, float, float*, std::int64_t);
template void direct_gemm(std::int64_t, std::int64_t, std::int64_t, double, const double*, std::int64_t, std::int64_t,
                          const double*, std::int64_t, std::int64_t, double, double*, std::int64_t);

}  // namespace gradus::cpu
