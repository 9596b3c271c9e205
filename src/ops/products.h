// What mm, bmm, linear and addmm share: operands as the kernels want them.
#pragma once

#include <gradus/op.h>
#include <gradus/ops.h>

namespace gradus::ops {

// The last two dimensions of a tensor as a matrix that the kernels can read: one of its strides is 1. Holds a copy of
// the tensor where neither is.
struct Matrix {
  Tensor tensor;
  bool trans = false;
  std::int64_t ld = 1;

  explicit Matrix(const Tensor& x);
};

// Products are defined for numbers of one type: DtypeError for bool and for two different ones.
void check_product_types(const char* call, const Tensor& a, const Tensor& b);

// y = alpha * a b + beta * y for a [m, k], b [k, n] and y [m, n], contiguous, of the same type. Nothing is recorded.
void multiply_into(const Tensor& y, const Tensor& a, const Tensor& b, double alpha = 1, double beta = 0);

// The multiplications and additions of a product.
inline std::int64_t product_flops(std::int64_t m, std::int64_t n, std::int64_t k) { return 2 * m * n * k; }

}  // namespace gradus::ops
