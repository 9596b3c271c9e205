// Matrix products over raw memory: C = alpha * op(A) op(B) + beta * C, with op(A) [m, k], op(B) [k, n], C [m, n].
#pragma once

#include "kernels/product.h"

namespace gradus::cpu {

using namespace kernel;

// Kernels::gemm and gemm_batch; the rest is what they are made of.
void gemm(const Product& product);
void gemm_batch(const Product& product, const Batch& batch);

// Row-major. A is stored [m, k], or [k, m] when trans_a; rows are lda elements apart; likewise B, and C with ldc.
// C does not overlap A or B, and is not read where beta is 0. Where m, n and k are large enough several threads share
// the work, in pieces that depend on the sizes alone: the result has the same bits for any number of threads.
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a,
          std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc);
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, double alpha, const double* a,
          std::int64_t lda, const double* b, std::int64_t ldb, double beta, double* c, std::int64_t ldc);

// C = op(A) op(B) for A and B of bfloat16, summed in float32; C in float32 or bfloat16. False where this machine has no
// fast loops for it; what C holds is undefined then.
bool gemm_bfloat16(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const BFloat16* a,
                   std::int64_t lda, const BFloat16* b, std::int64_t ldb, Dtype c_dtype, void* c, std::int64_t ldc);

// Integers, which wrap around as in PyTorch.
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t alpha,
          const std::int64_t* a, std::int64_t lda, const std::int64_t* b, std::int64_t ldb, std::int64_t beta,
          std::int64_t* c, std::int64_t ldc);
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, std::int32_t alpha,
          const std::int32_t* a, std::int64_t lda, const std::int32_t* b, std::int64_t ldb, std::int32_t beta,
          std::int32_t* c, std::int64_t ldc);
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, std::uint8_t alpha,
          const std::uint8_t* a, std::int64_t lda, const std::uint8_t* b, std::int64_t ldb, std::uint8_t beta,
          std::uint8_t* c, std::int64_t ldc);

// What becomes of each element of C while it is in the cache: f(c + bias[j]).
template <class T>
struct Finish {
  const T* bias = nullptr;  // n numbers, or null: none is added
  void (*run)(const void* formula, std::int64_t m, std::int64_t n, T* c, std::int64_t ldc, const T* bias) = nullptr;
  const void* formula = nullptr;  // `run` is finish<F, T> of kernels/cpu/product/finish.h; null: f is the identity
};

// C = op(A) op(B), finished. Integers have no f.
template <class T>
void gemm_finished(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                   std::int64_t lda, const T* b, std::int64_t ldb, const Finish<T>& finish, T* c, std::int64_t ldc);

// A number of products of the same sizes; the i-th has its matrices i * stride_a, ... elements further on. Small ones
// are shared out between threads whole.
template <class T>
void gemm_batch(std::int64_t batch, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                const T* a, std::int64_t lda, std::int64_t stride_a, const T* b, std::int64_t ldb,
                std::int64_t stride_b, T* c, std::int64_t ldc, std::int64_t stride_c);

}  // namespace gradus::cpu
