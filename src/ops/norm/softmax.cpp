// softmax and log_softmax.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

namespace gradus {

using namespace ops;

namespace {

kernel::Extent extent_of(const Tensor& x, int dim) {
  return x.dim() == 0 ? kernel::Extent{1, 1, 1} : extent_around(x.sizes(), dim);
}

// softmax: y (g - sum(g y)); log_softmax: g - exp(y) sum(g).
struct SoftmaxBackward final : Op {
  int dim;
  bool log;
  SoftmaxBackward(int d, bool l) : dim(d), log(l) {}
  const char* name() const override { return log ? "log_softmax_backward" : "softmax_backward"; }
  std::int64_t flops(const Tensor&, const Tensor& g, const Tensor&) const { return 4 * g.numel(); }
  Tensor forward(const Tensor& g, const Tensor& y) {
    if (needs(1) || (needs(0) && !log)) save(0, g);
    if (needs(0) || needs(1)) save(1, y);
    const Dtype compute = compute_type(g.dtype());
    const Tensor grad = g.to(compute).contiguous(), out = y.to(compute).contiguous();
    const Tensor gx = detail::make_empty(g.sizes(), compute, g.device());
    kernels(g.device())
        .softmax_backward(compute, log, grad.impl()->data, out.impl()->data, gx.impl()->data, extent_of(g, dim));
    return gx.to(g.dtype());
  }
  void backward(const Tensor& gg, Grads gx) override {
    const Tensor y = saved(1);
    if (log) {
      const Tensor weighed = gg * exp(y);
      if (needs(0)) gx[0] = gg - sum(weighed, dim, true);
      if (needs(1)) gx[1] = -weighed * sum(saved(0), dim, true);
    } else {
      if (needs(0)) gx[0] = apply(SoftmaxBackward(dim, false), gg, y);
      if (needs(1)) {
        const Tensor g = saved(0);
        gx[1] = gg * (g - sum(g * y, dim, true)) - g * sum(gg * y, dim, true);
      }
    }
  }
};

struct Softmax final : Op {
  int dim;
  bool log;
  Softmax(int d, bool l) : dim(d), log(l) {}
  const char* name() const override { return log ? "log_softmax" : "softmax"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return 5 * x.numel(); }
  Tensor forward(const Tensor& x) {
    const Dtype compute = compute_type(x.dtype());
    const Tensor in = x.to(compute).contiguous();
    Tensor y = detail::make_empty(x.sizes(), compute, x.device());
    kernels(x.device()).softmax(compute, log, in.impl()->data, y.impl()->data, extent_of(x, dim));
    y = y.to(x.dtype());
    save_output(y);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(SoftmaxBackward(dim, log), g, output()); }
};

Tensor run(const char* call, const Tensor& x, std::int64_t dim, bool log) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
  }
  return apply(Softmax(wrap_dim(call, dim, x.sizes().rank()), log), x);
}

}  // namespace

Tensor softmax(const Tensor& x, std::int64_t dim) { return run("softmax", x, dim, false); }
Tensor log_softmax(const Tensor& x, std::int64_t dim) { return run("log_softmax", x, dim, true); }

}  // namespace gradus
