// Our own matrix product, for sizes that are over before a BLAS has checked its arguments.
#pragma once

#include <cstdint>

namespace gradus::cpu {

// As gemm, on one thread, for any sizes and strides: op(A)(i, p) = a[i * a_row + p * a_col], likewise op(B).
// A bias of n elements, if given, is added to each row.
template <class T>
void direct_gemm(std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a, std::int64_t a_row,
                 std::int64_t a_col, const T* b, std::int64_t b_row, std::int64_t b_col, T beta, T* c, std::int64_t ldc,
                 const T* bias = nullptr);

}  // namespace gradus::cpu
