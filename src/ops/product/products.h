// What mm, bmm, linear and addmm share: operands as the kernels want them.
#pragma once

#include <gradus/op.h>
#include <gradus/ops.h>

#include "kernels/cpu/product/finish.h"
#include "kernels/gemm.h"

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

// A formula for each element of a product, as in ops/elementwise/elementwise.h.
struct Then {
  const void* formula = nullptr;
  decltype(cpu::Finish<float>::run) run32 = nullptr;
  decltype(cpu::Finish<double>::run) run64 = nullptr;

  template <class F>
  static Then of(const F& f) {
    return {&f, cpu::finish<F, float>, cpu::finish<F, double>};
  }
};

struct Product {
  bool trans_a = false, trans_b = false;
  double alpha = 1, beta = 0;
  Tensor bias = {};  // [n], added to each row; alpha is 1 and beta is 0 then
  Then then = {};    // for float32 and float64; alpha is 1 and beta is 0 then
};

// y = then(alpha * op(a) op(b) + beta * y + bias), with op(a) [m, k], op(b) [k, n] and m * n elements of y, contiguous,
// all of the same type. Nothing is recorded.
void multiply_into(const Tensor& y, const Tensor& a, const Tensor& b, const Product& product = {});

// op(a) op(b) of matrices that are known to fit each other: what mm and its gradients are made of.
Tensor mm_unchecked(const Tensor& a, const Tensor& b, bool trans_a, bool trans_b);

}  // namespace gradus::ops
