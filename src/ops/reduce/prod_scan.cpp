// prod and cumsum.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

namespace gradus {

using namespace ops;

namespace {

// Along the last dimension, for each element the product of all others. Nothing is divided, so zeros are as good as
// other numbers.
struct ProdOfOthers final : Op {
  const char* name() const override { return "prod_backward"; }
  Tensor forward(const Tensor& x) {
    save(0, x);
    const Tensor in = x.to(compute_type(x.dtype())).contiguous();
    const Tensor y = detail::make_empty(x.sizes(), in.dtype(), x.device());
    const std::int64_t n = x.sizes().back();
    if (n > 0) kernels(x.device()).prod_of_others(in.dtype(), in.data_ptr(), y.data_ptr(), x.numel() / n, n);
    const Tensor result = y.to(x.dtype());
    save_output(result);
    return result;
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor x = saved(0);
    if (!any(x == 0).item<bool>()) {
      // The product of all but i and k is y[i] / x[k].
      const Tensor weighed = g / x;
      gx[0] = output() * (sum(weighed, -1, true) - weighed);
      return;
    }
    // Row i of `rows` is x with its element i replaced by 1: its products of others leave out i and k.
    const std::int64_t n = x.sizes().back();
    Shape square = x.sizes();
    square.insert(square.rank() - 1, n);
    const Tensor diagonal = eye(n, {}, {.dtype = kBool, .device = x.device()});
    const Tensor rows = masked_fill(expand(unsqueeze(x, -2), square), diagonal, 1);
    gx[0] = sum(masked_fill(apply(ProdOfOthers{}, rows), diagonal, 0) * unsqueeze(g, -1), -2);
  }
};

struct Prod final : Op {
  Reduction reduction;
  std::optional<int> dim;  // unset: all
  Prod(Reduction r, std::optional<int> d) : reduction(std::move(r)), dim(d) {}
  const char* name() const override { return "prod"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return x.numel(); }
  Tensor forward(const Tensor& x) {
    save(0, x);
    return run_reduce(kernel::Reduce::prod, x.to(compute_type(x.dtype())), reduction).to(x.dtype());
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor x = saved(0);
    Tensor others;
    if (dim && x.dim() > 0) {
      others = transpose(apply(ProdOfOthers{}, transpose(x, *dim, -1)), *dim, -1);
    } else {
      others = reshape(apply(ProdOfOthers{}, reshape(x, {-1})), x.sizes());
    }
    gx[0] = others * restored(g, reduction);
  }
};

Tensor product(const Tensor& x, const Dims& dims, std::optional<int> dim, bool keepdim) {
  return apply(Prod(reduction("prod", x, dims, keepdim), dim), is_integral(x.dtype()) ? x.to(kInt64) : x);
}

struct Cumsum final : Op {
  int dim;
  bool reverse;
  Cumsum(int d, bool r) : dim(d), reverse(r) {}
  const char* name() const override { return "cumsum"; }
  Tensor forward(const Tensor& x) {
    const Tensor in = x.to(compute_type(x.dtype())).contiguous();
    const Tensor y = detail::make_empty(x.sizes(), in.dtype(), x.device());
    const kernel::Extent extent = x.dim() == 0 ? kernel::Extent{1, 1, 1} : extent_around(x.sizes(), dim);
    kernels(x.device()).cumsum(in.dtype(), reverse, in.impl()->data, y.impl()->data, extent);
    return y.to(x.dtype());
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(Cumsum(dim, !reverse), g); }
};

}  // namespace

Tensor prod(const Tensor& x) { return product(x, {}, {}, false); }

Tensor prod(const Tensor& x, std::int64_t dim, bool keepdim) {
  return product(x, dim, wrap_dim("prod", dim, x.sizes().rank()), keepdim);
}

Tensor cumsum(const Tensor& x, std::int64_t dim) {
  const int d = wrap_dim("cumsum", dim, x.sizes().rank());
  return apply(Cumsum(d, false), is_integral(x.dtype()) ? x.to(kInt64) : x);
}

}  // namespace gradus
