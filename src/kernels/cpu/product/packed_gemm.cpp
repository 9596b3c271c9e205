#include "kernels/cpu/product/packed_gemm.h"

#include <algorithm>

#include "kernels/cpu/product/tiles.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

template <class T, int kBytes>
struct PackedGemm : Tiles<T, kBytes> {
  using Base = Tiles<T, kBytes>;
  static constexpr int64_t kWidth = 2 * Base::kLanes;
  static constexpr int kRows = kBytes == 64 ? 14 : 6;  // as many sums as the registers hold beside the operands
  static constexpr int64_t kDepth = 1536;              // so that the rows of a tile stay in the first two caches

  GRADUS_INLINE static void run(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* packed, T beta, T* c,
                                int64_t ldc) {
    for (int64_t p = 0; p < k || p == 0; p += kDepth) {
      for (int64_t j = 0; j < n; j += kWidth) {
        const int64_t width = std::min(kWidth, n - j);
        Base::template panel<2, kRows>(m, width,
                                       {std::min(kDepth, k - p), T(1), a + p, lda, 1, packed + j * k + p * kWidth,
                                        kWidth, p == 0 ? beta : T(1), c + j, ldc, nullptr});
      }
    }
  }
};

template <class T>
int64_t panel_width(Isa isa) {
  return (isa == Isa::v4 ? 2 * 64 : isa == Isa::v3 ? 2 * 32 : 2 * 16) / static_cast<int64_t>(sizeof(T));
}

}  // namespace

template <class T>
PackedMatrix<T>::PackedMatrix(int64_t k, int64_t n, const T* b, int64_t b_row, int64_t b_col)
    : isa_(current_isa()),
      k_(k),
      n_(n),
      width_(panel_width<T>(isa_)),
      data_((n + width_ - 1) / width_ * width_ * std::max<int64_t>(k, 1)) {
  for (int64_t j = 0; j < n; j += width_) {
    T* panel = data_.get() + j * k;
    const int64_t width = std::min(width_, n - j);
    if (b_col == 1) {
      for (int64_t p = 0; p < k; ++p) std::copy_n(b + p * b_row + j, width, panel + p * width_);
    } else {
      for (int64_t i = 0; i < width; ++i)
        for (int64_t p = 0; p < k; ++p) panel[p * width_ + i] = b[p * b_row + (j + i) * b_col];
    }
    for (int64_t p = 0; p < k && width < width_; ++p) std::fill_n(panel + p * width_ + width, width_ - width, T(0));
  }
}

template <class T>
void PackedMatrix<T>::multiply(int64_t m, const T* a, int64_t lda, T beta, T* c, int64_t ldc) const {
  if (m == 0 || n_ == 0) return;
  const T* packed = data_.get();
  // By the instruction set that B was packed for, which may not be the one in use now.
  if constexpr (is_built(Isa::v4)) {
    if (isa_ == Isa::v4) return detail::call_v4<PackedGemm<T, 64>>(m, n_, k_, a, lda, packed, beta, c, ldc);
  }
  if constexpr (is_built(Isa::v3)) {
    if (isa_ == Isa::v3) return detail::call_v3<PackedGemm<T, 32>>(m, n_, k_, a, lda, packed, beta, c, ldc);
  }
  detail::call_base<PackedGemm<T, 16>>(m, n_, k_, a, lda, packed, beta, c, ldc);
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace gradus::cpu
