// Matrix products: what the kernels of every device are given.
#pragma once

#include <gradus/core/dtype.h>

#include <cstdint>

#include "kernels/epilogue.h"

namespace gradus::kernel {

// C = then(alpha * op(A) op(B) + beta * C), with op(A) [m, k], op(B) [k, n], C [m, n], row-major. A is stored
// [m, k], or [k, m] when trans_a, with rows lda elements apart; likewise B, and C with ldc. C does not overlap A or B,
// and is not read where beta is 0. Where something follows, alpha is 1 and beta 0.
struct Product {
  Dtype dtype = kFloat32;  // of all: float32, float64, int64, int32 (these wrap around), uint8
  bool trans_a = false, trans_b = false;
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  std::int64_t lda = 1;
  const void* b = nullptr;
  std::int64_t ldb = 1;
  void* c = nullptr;
  std::int64_t ldc = 1;
  double alpha = 1, beta = 0;
  Epilogue then = {};  // a bias of n elements; for float32 and float64 an activation
};

// A number of products of the same sizes: the i-th has its matrices i * a, i * b, i * c elements further on.
struct Batch {
  std::int64_t count, a, b, c;
};

}  // namespace gradus::kernel
