// mm, bmm, matmul in all its ranks, addmm, outer, dot.
#include <algorithm>

#include <gradus/autocast.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "autograd/inplace.h"
#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/product/products.h"

namespace gradus {

using namespace ops;

namespace {

[[noreturn]] void refuse_sizes(const char* call, const char* rule, const Tensor& a, const Tensor& b) {
  throw ShapeError(std::string(call) + ": need " + rule + ", got " + to_string(a.sizes()) + " and " +
                   to_string(b.sizes()));
}

Tensor transposed(const Tensor& x) { return transpose(x, -2, -1); }

struct Mm final : Op {
  bool trans_a, trans_b;
  Mm(bool ta, bool tb) : trans_a(ta), trans_b(tb) {}
  const char* name() const override { return "mm"; }
  Tensor forward(const Tensor& a, const Tensor& b) {
    if (needs(1)) save(0, a);
    if (needs(0)) save(1, b);
    Tensor y = detail::make_empty({a.sizes()[trans_a ? 1 : 0], b.sizes()[trans_b ? 0 : 1]}, a.dtype(), a.device());
    multiply_into(y, a, b, {.trans_a = trans_a, .trans_b = trans_b});
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    if (needs(0))
      gx[0] = trans_a ? mm_unchecked(saved(1), g, trans_b, true) : mm_unchecked(g, saved(1), false, !trans_b);
    if (needs(1))
      gx[1] = trans_b ? mm_unchecked(g, saved(0), true, trans_a) : mm_unchecked(saved(0), g, !trans_a, false);
  }
  std::int64_t multiply_adds(const Tensor& y, const Tensor& a, const Tensor&) const {
    return y.numel() * a.sizes()[trans_a ? 0 : 1];
  }
};

struct Bmm final : Op {
  const char* name() const override { return "bmm"; }
  Tensor forward(const Tensor& a, const Tensor& b) {
    if (needs(1)) save(0, a);
    if (needs(0)) save(1, b);
    const std::int64_t batch = a.sizes()[0], m = a.sizes()[1], n = b.sizes()[2];
    Tensor y = detail::make_empty({batch, m, n}, a.dtype(), a.device());
    if (a.dtype() == kFloat32 || a.dtype() == kFloat64) {
      run(y, a, b);
    } else {
      for (std::int64_t i = 0; i < batch; ++i) multiply_into(select(y, 0, i), select(a, 0, i), select(b, 0, i));
    }
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    if (needs(0)) gx[0] = bmm(g, transposed(saved(1)));
    if (needs(1)) gx[1] = bmm(transposed(saved(0)), g);
  }
  std::int64_t multiply_adds(const Tensor& y, const Tensor& a, const Tensor&) const { return y.numel() * a.sizes()[2]; }

 private:
  static void run(const Tensor& y, const Tensor& a, const Tensor& b) {
    const Matrix left(a), right(b);
    const std::int64_t m = y.sizes()[1], n = y.sizes()[2];
    kernels(y.device())
        .gemm_batch({.dtype = y.dtype(),
                     .trans_a = left.trans,
                     .trans_b = right.trans,
                     .m = m,
                     .n = n,
                     .k = a.sizes()[2],
                     .a = left.tensor.impl()->data,
                     .lda = left.ld,
                     .b = right.tensor.impl()->data,
                     .ldb = right.ld,
                     .c = y.impl()->data,
                     .ldc = n},
                    {y.sizes()[0], left.tensor.strides()[0], right.tensor.strides()[0], m * n});
  }
};

struct AddMm final : Op {
  double beta, alpha;
  Shape from;
  AddMm(double b, double a) : beta(b), alpha(a) {}
  const char* name() const override { return "addmm"; }
  Tensor forward(const Tensor& input, const Tensor& a, const Tensor& b) {
    from = input.sizes();
    if (needs(2)) save(1, a);
    if (needs(1)) save(2, b);
    Tensor y = detail::make_empty({a.sizes()[0], b.sizes()[1]}, a.dtype(), a.device());
    if (beta != 0) detail::copy_data(y, expand(input, y.sizes()));
    multiply_into(y, a, b, {.alpha = alpha, .beta = beta});
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    if (needs(0)) gx[0] = sum_to(beta == 1 ? g : g * beta, from);
    const Tensor scaled = alpha == 1 || !(needs(1) || needs(2)) ? g : g * alpha;
    if (needs(1)) gx[1] = mm_unchecked(scaled, saved(2), false, true);
    if (needs(2)) gx[2] = mm_unchecked(saved(1), scaled, true, false);
  }
  std::int64_t multiply_adds(const Tensor& y, const Tensor&, const Tensor& a, const Tensor&) const {
    return y.numel() * a.sizes()[1];
  }
};

// All but the last dimensions of `sizes`, followed by `last`.
Shape with_last(Shape sizes, int drop, std::initializer_list<std::int64_t> last) {
  sizes.resize(sizes.rank() - drop);
  for (std::int64_t size : last) sizes.push_back(size);
  return sizes;
}

Tensor expanded_batch(const Tensor& x, const Shape& batch) {
  const int rank = x.sizes().rank();
  const std::int64_t rows = x.sizes()[rank - 2], columns = x.sizes()[rank - 1];
  return reshape(expand(x, with_last(batch, 0, {rows, columns})), {batch.numel(), rows, columns});
}

}  // namespace

Tensor ops::mm_unchecked(const Tensor& a, const Tensor& b, bool trans_a, bool trans_b) {
  return apply(Mm(trans_a, trans_b), a, b);
}

Tensor mm(const Tensor& a, const Tensor& b) {
  if (autocasts(a, b)) return mm(autocast(a), autocast(b));
  if (a.dim() != 2 || b.dim() != 2 || a.sizes()[1] != b.sizes()[0]) refuse_sizes("mm", "[m, k] and [k, n]", a, b);
  check_product_types("mm", a, b);
  return mm_unchecked(a, b, false, false);
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  if (autocasts(a, b)) return bmm(autocast(a), autocast(b));
  if (a.dim() != 3 || b.dim() != 3 || a.sizes()[0] != b.sizes()[0] || a.sizes()[2] != b.sizes()[1]) {
    refuse_sizes("bmm", "[b, m, k] and [b, k, n]", a, b);
  }
  check_product_types("bmm", a, b);
  return apply(Bmm{}, a, b);
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  if (autocasts(a, b)) return matmul(autocast(a), autocast(b));
  const int rank_a = a.sizes().rank(), rank_b = b.sizes().rank();
  if (rank_a == 0 || rank_b == 0) refuse_sizes("matmul", "at least one dimension each", a, b);
  const std::int64_t inner = b.sizes()[std::max(0, rank_b - 2)];
  if (a.sizes().back() != inner) {
    refuse_sizes("matmul",
                 rank_b == 1                  ? "[..., k] and [k]"
                 : rank_a == 1                ? "[k] and [..., k, n]"
                 : rank_a == 2 && rank_b == 2 ? "[m, k] and [k, n]"
                                              : "[..., m, k] and [..., k, n]",
                 a, b);
  }
  check_product_types("matmul", a, b);
  if (rank_a == 2 && rank_b == 2) return mm_unchecked(a, b, false, false);
  // A vector is a matrix of one row on the left, of one column on the right.
  if (rank_b == 1) {
    if (rank_a == 1) return dot(a, b);
    return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  }
  if (rank_a == 1) return squeeze(matmul(unsqueeze(a, 0), b), -2);
  const std::int64_t m = a.sizes()[rank_a - 2], n = b.sizes()[rank_b - 1];
  if (rank_b == 2) {
    Shape folded{a.sizes().numel() / std::max<std::int64_t>(1, inner), inner};
    if (inner == 0) folded[0] = with_last(a.sizes(), 1, {}).numel();
    return reshape(mm(reshape(a, folded), b), with_last(a.sizes(), 1, {n}));
  }
  const Shape batch = broadcast_shapes("matmul", with_last(a.sizes(), 2, {}), with_last(b.sizes(), 2, {}));
  return reshape(bmm(expanded_batch(a, batch), expanded_batch(b, batch)), with_last(batch, 0, {m, n}));
}

Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  if (autocasts(input, a, b)) return addmm(autocast(input), autocast(a), autocast(b), beta, alpha);
  if (a.dim() != 2 || b.dim() != 2 || a.sizes()[1] != b.sizes()[0]) refuse_sizes("addmm", "[m, k] and [k, n]", a, b);
  check_product_types("addmm", a, b);
  check_product_types("addmm", input, a);
  const Shape sizes{a.sizes()[0], b.sizes()[1]};
  bool fits = input.dim() <= 2;
  for (std::int64_t i = 1; fits && i <= input.dim(); ++i) {
    fits = input.size(-i) == 1 || input.size(-i) == sizes[static_cast<int>(2 - i)];
  }
  if (!fits) {
    throw ShapeError("addmm: input must broadcast to " + to_string(sizes) + ", got " + to_string(input.sizes()));
  }
  return apply(AddMm(beta, alpha), input, a, b);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  if (a.dim() != 1 || b.dim() != 1) refuse_sizes("outer", "[m] and [n]", a, b);
  return mul(unsqueeze(a, 1), b);
}

Tensor dot(const Tensor& a, const Tensor& b) {
  if (autocasts(a, b)) return dot(autocast(a), autocast(b));
  if (a.dim() != 1 || b.dim() != 1 || a.sizes() != b.sizes()) refuse_sizes("dot", "[k] and [k]", a, b);
  check_product_types("dot", a, b);
  return reshape(mm_unchecked(unsqueeze(a, 0), unsqueeze(b, 0), false, true), {});
}

}  // namespace gradus
