// Matrix products: what the kernels of every device are given.
#pragma once

#include <gradus/core/dtype.h>

#include <cstddef>
#include <cstdint>

namespace gradus::kernel {

// A formula for each element of a product, f(c + bias[j]), as each device has it (kernel::Loop says how). It lies in
// the host's memory and is read before the kernel's call returns. Null: the identity.
struct Then {
  const void* formula = nullptr;
  std::size_t bytes = 0;
  void (*cpu32)(const void* formula, std::int64_t m, std::int64_t n, float* c, std::int64_t ldc,
                const float* bias) = nullptr;
  void (*cpu64)(const void* formula, std::int64_t m, std::int64_t n, double* c, std::int64_t ldc,
                const double* bias) = nullptr;
  const char* (*name)() = nullptr;
};

// C = then(alpha * op(A) op(B) + beta * C + bias), with op(A) [m, k], op(B) [k, n], C [m, n], row-major. A is stored
// [m, k], or [k, m] when trans_a, with rows lda elements apart; likewise B, and C with ldc. C does not overlap A or B,
// and is not read where beta is 0. Where there is a bias (n elements) or a formula, alpha is 1 and beta 0.
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
  const void* bias = nullptr;
  Then then = {};  // for float32 and float64
};

// A number of products of the same sizes: the i-th has its matrices i * a, i * b, i * c elements further on.
struct Batch {
  std::int64_t count, a, b, c;
};

}  // namespace gradus::kernel
