#include "kernels/cpu/product/direct_gemm.h"

#include <algorithm>

#include "kernels/cpu/product/tiles.h"

namespace gradus::cpu {

namespace {

// B is read where it stands if its rows are contiguous and fill whole vectors, else through a packed copy; A is read
// one element at a time, so that its layout does not matter.
template <class T, int kBytes>
struct DirectGemm : Tiles<T, kBytes> {
  using Base = Tiles<T, kBytes>;
  using Product = typename Base::Product;
  static constexpr int kLanes = Base::kLanes;
  // Rows of a tile two vectors wide, and one: as many sums as fit beside two vectors of B and an element of A.
  static constexpr int kRows2 = kBytes == 64 ? 8 : 5, kRows1 = 8;
  static constexpr std::int64_t kDepth = 256;  // of a packed block of B

  GRADUS_INLINE static void run(std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a, std::int64_t a_row,
                                std::int64_t a_col, const T* b, std::int64_t b_row, std::int64_t b_col, T beta, T* c,
                                std::int64_t ldc, const T* bias) {
    alignas(64) T packed[kDepth * 2 * kLanes];
    for (std::int64_t p = 0; p < k || p == 0; p += kDepth) {
      const bool first = p == 0;
      const std::int64_t depth = std::min(kDepth, k - p);
      for (std::int64_t j = 0; j < n; j += 2 * kLanes) {
        const std::int64_t width = std::min<std::int64_t>(2 * kLanes, n - j);
        const std::int64_t padded = width > kLanes ? 2 * kLanes : kLanes;
        const T* right = b + p * b_row + j * b_col;
        const bool packs = b_col != 1 || width != padded;
        if (packs) Base::pack(depth, width, padded, right, b_row, b_col, packed);
        const Product x{depth,
                        alpha,
                        a + p * a_col,
                        a_row,
                        a_col,
                        packs ? packed : right,
                        packs ? padded : b_row,
                        first ? beta : T(1),
                        c + j,
                        ldc,
                        first && bias != nullptr ? bias + j : nullptr};
        if (padded > kLanes) {
          Base::template panel<2, kRows2>(m, width, x);
        } else {
          Base::template panel<1, kRows1>(m, width, x);
        }
      }
    }
  }
};

}  // namespace

template <class T>
void direct_gemm(std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a, std::int64_t a_row,
                 std::int64_t a_col, const T* b, std::int64_t b_row, std::int64_t b_col, T beta, T* c, std::int64_t ldc,
                 const T* bias) {
  if (m == 0 || n == 0) return;
  simd_choose<DirectGemm<T, 16>, DirectGemm<T, 32>, DirectGemm<T, 64>>(m, n, k, alpha, a, a_row, a_col, b, b_row, b_col,
                                                                       beta, c, ldc, bias);
}

template void direct_gemm(std::int64_t, std::int64_t, std::int64_t, float, const float*, std::int64_t, std::int64_t,
                          const float*, std::int64_t, std::int64_t, float, float*, std::int64_t, const float*);
template void direct_gemm(std::int64_t, std::int64_t, std::int64_t, double, const double*, std::int64_t, std::int64_t,
                          const double*, std::int64_t, std::int64_t, double, double*, std::int64_t, const double*);

}  // namespace gradus::cpu
