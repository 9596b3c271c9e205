// sum and mean.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "kernels/formulas/moments.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

namespace gradus {

using namespace ops;

namespace {

struct Sum final : Op {
  Reduction reduction;
  bool average;
  Sum(Reduction r, bool mean) : reduction(std::move(r)), average(mean) {}
  const char* name() const override { return average ? "mean" : "sum"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return x.numel(); }
  Tensor forward(const Tensor& x) {
    const Dtype compute = compute_type(x.dtype());
    const Tensor y = run_reduce(kernel::Reduce::sum, x.to(compute), reduction);
    if (average) unary_forward(DivideBy{reduction.count}, y, y);
    return y.to(x.dtype());
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor each = average ? g / reduction.count : g;
    gx[0] = expand(restored(each, reduction), reduction.from);
  }
};

}  // namespace

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim, std::optional<Dtype> dtype) {
  const Dtype type = dtype.value_or(is_integral(x.dtype()) ? kInt64 : x.dtype());
  // The kernel adds int64 and floating point; narrower integers wrap on the way back.
  const Dtype wide = is_integral(type) ? kInt64 : type;
  return apply(Sum(reduction("sum", x, dims, keepdim), false), x.to(type).to(wide)).to(type);
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("mean: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  return apply(Sum(reduction("mean", x, dims, keepdim), true), x);
}

}  // namespace gradus
