#include "ops/product/products.h"

#include <algorithm>

#include "autograd/inplace.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"

namespace gradus::ops {

namespace {

// Rows (or columns, when transposed) that follow each other in memory without overlap, their elements side by side.
bool readable(std::int64_t rows, std::int64_t columns, std::int64_t row_stride, std::int64_t column_stride) {
  return (column_stride == 1 || columns <= 1) && (row_stride >= std::max<std::int64_t>(1, columns) || rows <= 1);
}

}  // namespace

Matrix::Matrix(const Tensor& x) : tensor(x) {
  const int rank = x.sizes().rank();
  const std::int64_t rows = x.sizes()[rank - 2], columns = x.sizes()[rank - 1];
  const std::int64_t row_stride = x.strides()[rank - 2], column_stride = x.strides()[rank - 1];
  if (readable(rows, columns, row_stride, column_stride)) {
    ld = row_stride;
  } else if (readable(columns, rows, column_stride, row_stride)) {
    trans = true;
    ld = column_stride;
  } else {
    tensor = x.contiguous();
  }
  // A single row may have any stride; the libraries still want one that fits it.
  ld = tensor.is_same(x) ? std::max({ld, trans ? rows : columns, std::int64_t{1}}) : std::max<std::int64_t>(1, columns);
}

void check_product_types(const char* call, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) {
    throw DtypeError(std::string(call) + ": both operands must have the same type, got " + to_string(a.dtype()) +
                     " and " + to_string(b.dtype()));
  }
  if (a.dtype() == kBool) throw DtypeError(std::string(call) + ": not defined for bool tensors");
}

namespace {

// Where the machine multiplies bfloat16 numbers as such: a plain product.
bool multiply_halves(const Tensor& y, const Tensor& a, const Tensor& b, const Product& product) {
  const std::int64_t m = a.sizes()[product.trans_a ? 1 : 0], k = a.sizes()[product.trans_a ? 0 : 1];
  const std::int64_t n = b.sizes()[product.trans_b ? 0 : 1];
  const Matrix left(a), right(b);
  const auto data = [](const Matrix& x) { return reinterpret_cast<const BFloat16*>(x.tensor.impl()->data); };
  return kernels(y.device())
      .gemm_bfloat16(left.trans != product.trans_a, right.trans != product.trans_b, m, n, k, data(left), left.ld,
                     data(right), right.ld, y.dtype(), y.impl()->data, n);
}

}  // namespace

void multiply_into(const Tensor& y, const Tensor& a, const Tensor& b, const Product& product) {
  if (const Dtype compute = compute_type(y.dtype()); compute != y.dtype()) {
    const bool halves = y.dtype() == kBFloat16 && product.alpha == 1 && product.beta == 0;
    const bool biased = product.bias.defined();
    if (halves && !biased && multiply_halves(y, a, b, product)) return;
    Tensor wide = product.beta == 0 ? empty(y.sizes(), {.dtype = compute, .device = y.device()}) : y.to(compute);
    Product widened = product;
    if (biased) widened.bias = widened.bias.to(compute);
    if (halves && biased && multiply_halves(wide, a, b, product)) {
      wide.add_(widened.bias);
    } else {
      multiply_into(wide, a.to(compute), b.to(compute), widened);
    }
    detail::copy_data(y, wide);
    return;
  }
  const Matrix left(a), right(b);
  const Tensor bias = product.bias.defined() ? product.bias.contiguous() : Tensor();
  const std::int64_t n = b.sizes()[product.trans_b ? 0 : 1];
  kernels(y.device())
      .gemm({.dtype = y.dtype(),
             .trans_a = left.trans != product.trans_a,
             .trans_b = right.trans != product.trans_b,
             .m = a.sizes()[product.trans_a ? 1 : 0],
             .n = n,
             .k = a.sizes()[product.trans_a ? 0 : 1],
             .a = left.tensor.impl()->data,
             .lda = left.ld,
             .b = right.tensor.impl()->data,
             .ldb = right.ld,
             .c = y.impl()->data,
             .ldc = n,
             .alpha = product.alpha,
             .beta = product.beta,
             .then = {.bias = bias.defined() ? bias.impl()->data : nullptr, .activation = product.activation}});
}

}  // namespace gradus::ops
