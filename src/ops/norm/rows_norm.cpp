// Batch normalisation of channels-last tensors, with the residual and the relu that follow.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/norm/batch_norm.h"
#include "ops/shape/layout.h"

namespace gradus::ops {

namespace {

Tensor channel_operand(const Tensor& x) { return x.defined() ? x.to(kFloat32).contiguous() : x; }
const float* numbers(const Tensor& x) { return x.defined() ? x.const_data_ptr<float>() : nullptr; }

struct RowsNormOp final : Op {
  const char* call;
  double eps;
  Moments moments;
  bool relu, adds = false;
  kernel::RowsNorm n;
  Shape sizes;
  Dtype w_type = kFloat32, b_type = kFloat32;
  Tensor scale, shift;  // weight and bias as they were: what the relu lets through follows from them

  RowsNormOp(const char* c, double e, const Moments& m, bool r) : call(c), eps(e), moments(m), relu(r) {}
  const char* name() const override { return call; }
  std::int64_t flops(const Tensor& y, const Tensor&, const Tensor&, const Tensor&, const Tensor&) const {
    return ((moments.constant ? 3 : 7) + relu + adds) * y.numel();
  }

  Tensor forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual) {
    sizes = x.sizes();
    adds = residual.defined();
    n = {.dtype = x.dtype(),
         .rows = x.numel() / sizes[1],
         .channels = sizes[1],
         .constant = moments.constant,
         .relu = relu};
    if (weight.defined()) w_type = weight.dtype();
    if (bias.defined()) b_type = bias.dtype();
    const bool masks = relu && !adds;  // from x again, which saves keeping y
    if (needs(1) || (needs(0) && !moments.constant) || (masks && needs_any())) save(0, x);
    if (needs(0) && weight.defined()) save(1, weight);
    scale = channel_operand(weight);
    shift = channel_operand(bias);
    if (!moments.constant) {
      kernels(x.device())
          .rows_moments(n, eps, x.impl()->data, moments.mean.data_ptr<float>(), moments.var.data_ptr<double>());
      moments.take_rstd(eps);
    }
    const Tensor y = detail::make_channels_last(sizes, x.dtype(), x.device());
    const Tensor added = adds ? to_channels_last(residual) : Tensor();
    kernels(x.device())
        .rows_normalize(n, x.impl()->data, numbers(moments.mean), numbers(moments.rstd), numbers(scale), numbers(shift),
                        adds ? added.impl()->data : nullptr, y.impl()->data);
    if (relu && adds) save_output(y);
    if (!needs_any()) scale = shift = Tensor();
    // A copy where the parameter itself was taken: it may change before backward, and what it was is needed.
    if (masks && scale.defined() && scale.is_same(weight)) scale = scale.detach().clone();
    if (masks && shift.defined() && shift.is_same(bias)) shift = shift.detach().clone();
    if (!masks) scale = shift = Tensor();
    return y;
  }

  void backward(const Tensor& g, Grads gx) override { is_grad_enabled() ? differentiable(g, gx) : fused(g, gx); }

 private:
  void fused(const Tensor& g_given, Grads gx) {
    const Tensor g = to_channels_last(g_given.to(n.dtype));
    const Tensor x = has_saved(0) ? saved(0) : Tensor();
    const Tensor w = channel_operand(has_saved(1) ? saved(1) : scale);
    const bool sums = needs(1) || needs(2);
    const auto per_channel = [&](bool wanted) {
      return wanted ? detail::make_empty({n.channels}, kFloat32, g.device()) : Tensor();
    };
    const Tensor gw = per_channel(sums && x.defined()), gb = per_channel(sums && x.defined());
    Tensor through = g;
    if (relu && adds && (needs(3) || sums || needs(0)))
      through = detail::make_channels_last(sizes, n.dtype, g.device());
    const Tensor to = needs(0) ? detail::make_channels_last(sizes, n.dtype, g.device()) : Tensor();
    const Tensor y = relu && adds ? output() : Tensor();
    kernel::RowsGradients all;
    all.g = g.impl()->data;
    all.x = x.defined() ? x.impl()->data : nullptr;
    all.y = y.defined() ? y.impl()->data : nullptr;
    all.mean = numbers(moments.mean);
    all.rstd = numbers(moments.rstd);
    all.weight = numbers(w);
    all.bias = numbers(shift);
    all.gx = to.defined() ? to.impl()->data : nullptr;
    all.g_residual = through.is_same(g) ? nullptr : through.impl()->data;
    all.gw = gw.defined() ? gw.data_ptr<float>() : nullptr;
    all.gb = gb.defined() ? gb.data_ptr<float>() : nullptr;
    if (needs(0) || gw.defined() || all.g_residual != nullptr) {
      const auto kernel = [&] {
        kernels(g.device()).rows_norm_backward(n, all);
        return to.defined() ? to : gw.defined() ? gw : through;
      };
      detail::observed(name(), kernel, g, x, w);
    }
    if (needs(0)) gx[0] = to;
    if (needs(1)) gx[1] = gw.to(w_type);
    if (needs(2)) gx[2] = (gb.defined() ? gb : sum_of_channels(through)).to(b_type);
    if (needs(3)) gx[3] = through;
  }

  static Tensor sum_of_channels(const Tensor& g) {
    Dims dims(0);
    for (int d = 2; d < g.sizes().rank(); ++d) dims.push_back(d);
    return sum(g.to(kFloat32), dims);
  }

  // The same from differentiable operations.
  void differentiable(const Tensor& g_given, Grads gx) {
    Shape kept = sizes;
    Dims over;
    for (int d = 0; d < sizes.rank(); ++d) {
      if (d == 1) continue;
      kept[d] = 1;
      over.push_back(d);
    }
    const auto beside = [&](const Tensor& x) { return reshape(x, kept); };
    Tensor g = g_given.to(kFloat32), normal, rstd = beside(moments.rstd);
    if (has_saved(0)) {
      const Normal own =
          differentiable_normal(saved(0).to(kFloat32), beside(moments.mean), rstd, over, eps, moments.constant);
      normal = own.x;
      rstd = own.rstd;
    }
    if (relu) {
      const NoGrad guard;  // a step: its own derivative is zero
      Tensor open;
      if (adds) {
        open = output() > 0;
      } else {
        Tensor z = normal.detach();
        if (scale.defined()) z = z * beside(scale);
        if (shift.defined()) z = z + beside(shift);
        open = z > 0;
      }
      const EnableGrad recording;
      g = where(open, g, number(0.0, g));
    }
    if (needs(0)) {
      const Tensor weighed = has_saved(1) ? g * beside(saved(1).to(kFloat32)) : g;
      Tensor inner = weighed;
      if (!moments.constant) {
        inner = weighed - mean(weighed, over, true) - normal * mean(weighed * normal, over, true);
      }
      gx[0] = (inner * rstd).to(n.dtype);
    }
    if (needs(1)) gx[1] = sum(g * normal, over).to(w_type);
    if (needs(2)) gx[2] = sum(g, over).to(b_type);
    if (needs(3)) gx[3] = g.to(n.dtype);
  }
};

}  // namespace

Tensor rows_norm(const char* call, double eps, const Moments& moments, const Tensor& x, const Tensor& weight,
                 const Tensor& bias, const After& after) {
  return apply(RowsNormOp(call, eps, moments, after.relu), x, weight, bias, after.residual);
}

}  // namespace gradus::ops
