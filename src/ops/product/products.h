// What mm, bmm, linear and addmm share: operands as the kernels want them.
#pragma once

#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "kernels/dispatch/kernels.h"
#include "kernels/dispatch/loop.h"

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

struct Product {
  bool trans_a = false, trans_b = false;
  double alpha = 1, beta = 0;
  Tensor bias = {};  // [n], added to each row; alpha is 1 and beta is 0 then
  kernel::Activation activation =
      {};  // of a formula as in ops/elementwise/elementwise.h; likewise, float32 and float64
};

// y = activation(alpha * op(a) op(b) + beta * y + bias), with op(a) [m, k], op(b) [k, n] and m * n elements of y,
// contiguous, all of the same type. Nothing is recorded.
void multiply_into(const Tensor& y, const Tensor& a, const Tensor& b, const Product& product = {});

// op(a) op(b) of matrices that are known to fit each other: what mm and its gradients are made of.
Tensor mm_unchecked(const Tensor& a, const Tensor& b, bool trans_a, bool trans_b);

}  // namespace gradus::ops
