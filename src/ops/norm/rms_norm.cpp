// Root-mean-square normalisation: no mean is taken off, and there is no bias.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/normalization.h>

#include <cmath>
#include <limits>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

Tensor operand(const Tensor& x) { return x.to(compute_type(x.dtype())).contiguous(); }
const void* pointer(const Tensor& x) { return x.defined() ? x.impl()->data : nullptr; }
void* target(const Tensor& x) { return x.defined() ? x.impl()->data : nullptr; }

struct RmsNormOp final : Op {
  std::int64_t rows, n;
  double eps;
  Shape x_sizes, w_sizes;
  Dtype w_type = kFloat32;
  Tensor rstd;
  RmsNormOp(std::int64_t r, std::int64_t per_row, double e, const Shape& normalized)
      : rows(r), n(per_row), eps(e), w_sizes(normalized) {}
  const char* name() const override { return "rms_norm"; }
  // Two for the moments, two for the rest.
  std::int64_t flops(const Tensor& y, const Tensor&, const Tensor&) const { return 4 * y.numel(); }

  Tensor forward(const Tensor& x_given, const Tensor& weight) {
    x_sizes = x_given.sizes();
    if (weight.defined()) w_type = weight.dtype();
    if (needs_any()) save(0, x_given);
    if (needs(0) && weight.defined()) save(1, weight);
    const Tensor x = operand(x_given), w = weight.defined() ? operand(weight) : Tensor();
    const Tensor y = detail::make_empty(x_sizes, x.dtype(), x.device());
    rstd = detail::make_empty({rows}, x.dtype(), x.device());
    if (x.numel() > 0)
      kernels(x.device())
          .rms_norm(x.dtype(), eps, x.impl()->data, pointer(w), rstd.impl()->data, y.impl()->data, rows, n);
    return y.to(x_given.dtype());
  }

  void backward(const Tensor& g, Grads gx) override {
    if (x_sizes.numel() == 0) {
      if (needs(0)) gx[0] = zeros(x_sizes, {.dtype = g.dtype(), .device = g.device()});
      if (needs(1)) gx[1] = zeros(w_sizes, {.dtype = w_type, .device = g.device()});
      return;
    }
    is_grad_enabled() ? differentiable(g, gx) : fused(g, gx);
  }

 private:
  Tensor weight() const { return has_saved(1) ? saved(1) : Tensor(); }

  void fused(const Tensor& g_given, Grads gx) {
    const Tensor g = operand(g_given), x = operand(saved(0)), w = weight().defined() ? operand(weight()) : Tensor();
    const Tensor to = needs(0) ? detail::make_empty(x_sizes, g.dtype(), g.device()) : Tensor();
    const Tensor gw = needs(1) ? detail::make_empty(w_sizes, g.dtype(), g.device()) : Tensor();
    const auto kernel = [&] {
      kernels(g.device())
          .rms_norm_backward(g.dtype(), g.impl()->data, x.impl()->data, rstd.impl()->data, pointer(w), target(to),
                             target(gw), rows, n);
      return to.defined() ? to : gw;
    };
    detail::observed(name(), kernel, g, x, w);
    if (needs(0)) gx[0] = to.to(g_given.dtype());
    if (needs(1)) gx[1] = gw.to(w_type);
  }

  // The same from differentiable operations.
  void differentiable(const Tensor& g_given, Grads gx) {
    const Dtype compute = compute_type(g_given.dtype());
    const Tensor g = reshape(g_given.to(compute), {rows, n}), x = reshape(saved(0).to(compute), {rows, n});
    const Tensor scale = rsqrt(mean(x * x, 1, true) + eps), normal = x * scale;
    if (needs(0)) {
      const Tensor weighed = weight().defined() ? g * reshape(weight().to(compute), {1, n}) : g;
      gx[0] = reshape(scale * (weighed - normal * mean(weighed * normal, 1, true)), x_sizes).to(g_given.dtype());
    }
    if (needs(1)) gx[1] = reshape(sum(g * normal, 0), w_sizes).to(w_type);
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, std::optional<double> eps) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("rms_norm: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  const Dtype compute = compute_type(x.dtype());
  const double added = eps.value_or(compute == kFloat64 ? std::numeric_limits<double>::epsilon()
                                                        : static_cast<double>(std::numeric_limits<float>::epsilon()));
  if (!(added >= 0) || std::isinf(added)) {
    throw ValueError("rms_norm: eps must be a number of at least 0, got " + to_string(added));
  }
  const int rank = x.sizes().rank(), inner = normalized_shape.rank();
  std::int64_t rows = 1, n = 1;
  bool fits = inner >= 1 && inner <= rank;
  for (int d = 0; d < rank && fits; ++d) {
    const int k = d - (rank - inner);
    fits = k < 0 || x.sizes()[d] == normalized_shape[k];
    (k < 0 ? rows : n) *= x.sizes()[d];
  }
  if (!fits) {
    throw ShapeError("rms_norm: need x whose last sizes are normalized_shape " + to_string(normalized_shape) +
                     ", got " + to_string(x.sizes()));
  }
  if (weight.defined() && weight.sizes() != normalized_shape) {
    throw ShapeError("rms_norm: need weight " + to_string(normalized_shape) + ", got " + to_string(weight.sizes()));
  }
  if (weight.defined() && weight.dtype() != x.dtype() && weight.dtype() != compute) {
    throw DtypeError(std::string("rms_norm: weight must be of x's type, ") + to_string(x.dtype()) + ", got " +
                     to_string(weight.dtype()));
  }
  return apply(RmsNormOp(rows, n, added, normalized_shape), x, weight);
}

}  // namespace gradus
