// The definition of a matrix product, to hold the fast ones against.
#pragma once

#include <cstdint>

namespace gradus::reference {

// As gradus::cpu::gemm, summed in double.
template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
          std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t p = 0; p < k; ++p) {
        const T left = trans_a ? a[p * lda + i] : a[i * lda + p];
        const T right = trans_b ? b[j * ldb + p] : b[p * ldb + j];
        sum += static_cast<double>(left) * static_cast<double>(right);
      }
      T& out = c[i * ldc + j];
      const double old = beta == T(0) ? 0 : static_cast<double>(beta) * static_cast<double>(out);
      out = static_cast<T>(static_cast<double>(alpha) * sum + old);
    }
  }
}

}  // namespace gradus::reference
