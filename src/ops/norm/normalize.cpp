#include "ops/norm/normalize.h"

#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <cmath>
#include <tuple>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "kernels/formulas/moments.h"
#include "ops/elementwise/elementwise.h"
#include "ops/shape/layout.h"

namespace gradus::ops {

namespace {

using kernel::Normalization;

Tensor operand(const Tensor& x) { return x.defined() ? x.to(compute_type(x.dtype())).contiguous() : x; }
const void* pointer(const Tensor& x) { return x.defined() ? x.impl()->data : nullptr; }
void* room(const Tensor& x) { return x.defined() ? x.impl()->data : nullptr; }

// 1 / sqrt(var + eps), taken in float64.
Tensor inverse_root(const Tensor& var, double eps, Dtype dtype) {
  const kernel::Loop loop = kernel::loop_of<InverseRoot, double, double, 1>();
  const InverseRoot formula{eps};
  const Tensor rstd = detail::make_empty(var.sizes(), dtype, var.device());
  const kernel::Operand from{var.impl()->data, kFloat64, var.strides()};
  kernels(var.device())
      .elementwise(var.sizes(), {rstd.impl()->data, rstd.dtype(), rstd.strides()}, {&from, 1}, kFloat64, kFloat64,
                   {loop, &formula});
  return rstd;
}

struct Norm final : Op {
  const char* call;
  Normalization n;
  double eps;
  Moments moments;
  bool relu, adds = false;
  Shape x_sizes, w_sizes;
  Dtype w_type = kFloat32, b_type = kFloat32;
  Tensor scale, shift;  // weight and bias as they were, if what the relu lets through follows from them

  Norm(const char* c, const Normalization& norm, double e, const Moments& m, bool r)
      : call(c), n(norm), eps(e), moments(m), relu(r) {}
  const char* name() const override { return call; }
  // Four for the moments, three for the rest.
  std::int64_t flops(const Tensor& y, const Tensor&, const Tensor&, const Tensor&, const Tensor& = {}) const {
    return ((n.constant ? 3 : 7) + relu + adds) * y.numel();
  }

  Tensor forward(const Tensor& x_given, const Tensor& weight, const Tensor& bias, const Tensor& residual = {}) {
    x_sizes = x_given.sizes();
    adds = residual.defined();
    if (weight.defined()) {
      w_sizes = weight.sizes();
      w_type = weight.dtype();
    }
    if (bias.defined()) {
      w_sizes = bias.sizes();
      b_type = bias.dtype();
    }
    const bool masks = relu && !adds;  // from x again, which saves keeping y
    if (needs(1) || (needs(0) && !n.constant) || (masks && needs_any())) save(0, x_given);
    if (needs(0) && weight.defined()) save(1, weight);
    const Tensor x = laid_out(x_given), y = room_for_x(x.device());
    const Tensor w = operand(weight), b = operand(bias), added = adds ? laid_out(residual) : Tensor();
    if (n.numel() > 0) {
      if (!n.constant) {
        kernels(x.device())
            .moments(n, eps, x.impl()->data, moments.mean.impl()->data, static_cast<double*>(moments.var.data_ptr()));
        moments.rstd = inverse_root(moments.var, eps, moments.mean.dtype());
      }
      kernels(x.device())
          .normalize(n, x.impl()->data, moments.mean.impl()->data, moments.rstd.impl()->data, pointer(w),
                     {.bias = pointer(b), .residual = pointer(added), .relu = relu}, y.impl()->data);
    }
    if (relu && adds) save_output(y);
    // A copy where the parameter itself was taken: it may change before backward, and what it was is needed.
    if (masks && needs_any()) {
      scale = w.defined() && w.is_same(weight) ? w.detach().clone() : w;
      shift = b.defined() && b.is_same(bias) ? b.detach().clone() : b;
    }
    return y.to(x_given.dtype());
  }

  void backward(const Tensor& g, Grads gx) override {
    if (n.numel() == 0) {
      if (needs(0)) gx[0] = zeros(x_sizes, {.dtype = g.dtype(), .device = g.device()});
      if (needs(1)) gx[1] = zeros(w_sizes, {.dtype = w_type, .device = g.device()});
      if (needs(2)) gx[2] = zeros(w_sizes, {.dtype = b_type, .device = g.device()});
      return;
    }
    is_grad_enabled() ? differentiable(g, gx) : fused(g, gx);
  }

 private:
  Tensor kept(int slot) const { return has_saved(slot) ? saved(slot) : Tensor(); }
  Tensor laid_out(const Tensor& x) const { return n.channels_last ? to_channels_last(x.to(n.dtype)) : operand(x); }
  Tensor room_for_x(Device device) const {
    return n.channels_last ? detail::make_channels_last(x_sizes, n.dtype, device)
                           : detail::make_empty(x_sizes, n.dtype, device);
  }

  void fused(const Tensor& g_given, Grads gx) {
    const Tensor g = laid_out(g_given), x = has_saved(0) ? laid_out(saved(0)) : Tensor();
    const Tensor w = operand(has_saved(1) ? saved(1) : scale), y = relu && adds ? output() : Tensor();
    const Dtype sum_type = compute_type(n.dtype);
    const bool wanted = needs(1) || needs(2);
    const bool sums = wanted && x.defined();  // the bias alone needs no deviations from the mean
    const Tensor gw = sums ? detail::make_empty(w_sizes, sum_type, g.device()) : Tensor();
    const Tensor gb = sums ? detail::make_empty(w_sizes, sum_type, g.device()) : Tensor();
    const Tensor to = needs(0) ? room_for_x(g.device()) : Tensor();
    const bool masked = relu && adds && (needs(3) || wanted || needs(0));
    const Tensor through = masked ? room_for_x(g.device()) : g;
    if (needs(0) || sums || masked) {
      const auto kernel = [&] {
        kernels(g.device())
            .normalize_backward(n, {.g = g.impl()->data,
                                    .x = pointer(x),
                                    .mean = moments.mean.impl()->data,
                                    .rstd = moments.rstd.impl()->data,
                                    .weight = pointer(w),
                                    .relu = relu,
                                    .bias = pointer(shift),
                                    .y = pointer(y),
                                    .gx = room(to),
                                    .g_residual = masked ? room(through) : nullptr,
                                    .gw = room(gw),
                                    .gb = room(gb)});
        return to.defined() ? to : sums ? gw : through;
      };
      detail::observed(name(), kernel, g, x, w);
    }
    if (needs(0)) gx[0] = to.to(g_given.dtype());
    if (needs(1)) gx[1] = gw.to(w_type);
    if (needs(2)) gx[2] = (sums ? gb : sum_of_weights(seen(through.to(sum_type)))).to(b_type);
    if (needs(3)) gx[3] = through;
  }

  // How x is seen where it is computed with operations: channels-last as it is, so that it is not copied.
  Tensor seen(const Tensor& x) const {
    return n.channels_last ? x : reshape(x, {n.batch, n.groups, n.channels, n.space});
  }
  // Something of each moment, or of each weight, beside that.
  Tensor beside(const Tensor& x, const Shape& sizes) const {
    if (!n.channels_last) return reshape(x, sizes);
    Shape of_channels = x_sizes;
    for (int d = 0; d < of_channels.rank(); ++d)
      if (d != 1) of_channels[d] = 1;
    return reshape(x, of_channels);
  }
  Tensor of_moments(const Tensor& x) const {
    return beside(x, n.over_batch ? Shape{1, n.groups, 1, 1} : Shape{n.batch, n.groups, 1, 1});
  }
  Tensor of_weights(const Tensor& x) const { return beside(x, {1, n.groups, n.channels, 1}); }
  Dims all_but_channels() const {
    Dims dims(0);
    for (int d = 2; d < x_sizes.rank(); ++d) dims.push_back(d);
    return dims;
  }
  Tensor sum_of_weights(const Tensor& g) const {
    return reshape(n.channels_last ? sum(g, all_but_channels()) : sum(g, {0, 3}), w_sizes);
  }
  Dims over() const {
    if (n.channels_last) return all_but_channels();
    return n.over_batch ? Dims{0, 2, 3} : Dims{2, 3};
  }

  // The normalised x, and 1 / std as it depends on x. x is brought near a variance of 1 by constants first: squares
  // then neither overflow nor vanish.
  std::pair<Tensor, Tensor> normal_of(const Tensor& x) const {
    const Tensor rstd = of_moments(moments.rstd);
    const Tensor near = (x - of_moments(moments.mean)) * rstd;
    if (n.constant) return {near, rstd};
    const Tensor deviation = near - mean(near, over(), true);
    const Tensor correction = rsqrt(mean(square(deviation), over(), true) + square(rstd * std::sqrt(eps)));
    return {deviation * correction, rstd * correction};
  }

  // What the relu let through of g.
  Tensor opened(const Tensor& g, const Tensor& normal) const {
    const NoGrad guard;  // a step: its own derivative is zero
    Tensor z = adds ? output() : normal.detach();
    if (!adds && scale.defined()) z = z * of_weights(scale);
    if (!adds && shift.defined()) z = z + of_weights(shift);
    const Tensor open = z > 0;
    const EnableGrad recording;
    return where(open, g, number(0.0, g));
  }

  // The same from differentiable operations.
  void differentiable(const Tensor& g_given, Grads gx) {
    const Dtype compute = compute_type(g_given.dtype());
    Tensor g = seen(g_given.to(compute)), normal, rstd = of_moments(moments.rstd);
    if (const Tensor x = kept(0); x.defined()) std::tie(normal, rstd) = normal_of(seen(x.to(compute)));
    if (relu) g = opened(g, normal);
    if (needs(0)) {
      const Tensor weighed = has_saved(1) ? g * of_weights(saved(1).to(compute)) : g;
      Tensor inner = weighed;
      if (!n.constant) {
        inner = weighed - mean(weighed, over(), true) - normal * mean(weighed * normal, over(), true);
      }
      gx[0] = reshape(inner * rstd, x_sizes).to(g_given.dtype());
    }
    if (needs(1)) gx[1] = sum_of_weights(g * normal).to(w_type);
    if (needs(2)) gx[2] = sum_of_weights(g).to(b_type);
    if (needs(3)) gx[3] = g.to(g_given.dtype());
  }
};

}  // namespace

Moments Moments::of(const Normalization& n, const Tensor& x) {
  return {.mean = detail::make_empty({n.moments()}, compute_type(x.dtype()), x.device()),
          .var = detail::make_empty({n.moments()}, kFloat64, x.device()),
          .rstd = {}};
}

Moments Moments::given(const Tensor& mean, const Tensor& var, Dtype dtype, double eps) {
  const NoGrad guard;
  return {.mean = mean.detach().to(dtype).contiguous().clone(),
          .var = {},
          .rstd = rsqrt(var.detach().to(dtype) + eps),
          .constant = true};
}

Tensor normalize(const char* call, const Normalization& given, double eps, const Moments& moments, const Tensor& x,
                 const Tensor& weight, const Tensor& bias, const Epilogue& then) {
  const Tensor& r = then.residual;
  Normalization n = given;
  n.constant = moments.constant;
  n.channels_last = n.over_batch && n.numel() > 0 && has_rows(x.dtype()) && prefers_channels_last(x) &&
                    (!r.defined() || (r.sizes() == x.sizes() && r.dtype() == x.dtype()));
  n.dtype = n.channels_last ? x.dtype() : compute_type(x.dtype());
  if (n.channels_last && r.defined()) return apply(Norm(call, n, eps, moments, then.relu), x, weight, bias, r);
  if (n.channels_last) return apply(Norm(call, n, eps, moments, then.relu), x, weight, bias);
  Tensor y = apply(Norm(call, n, eps, moments, false), x, weight, bias);
  if (r.defined()) y = y + r;
  return then.relu ? relu(y) : y;
}

}  // namespace gradus::ops
