// Batch, instance, layer and group normalisation: one operation, with moments of different parts.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/normalization.h>

#include <cmath>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "kernels/formulas/moments.h"
#include "ops/elementwise/elementwise.h"
#include "ops/norm/batch_norm.h"
#include "ops/shape/layout.h"

namespace gradus {

using namespace ops;

namespace {

using kernel::Normalization;

Tensor operand(const Tensor& x) { return x.to(compute_type(x.dtype())).contiguous(); }
const void* pointer(const Tensor& x) { return x.defined() ? x.impl()->data : nullptr; }

// To be taken from x.
Moments own_moments(const Normalization& n, Dtype dtype, Device device) {
  return {.mean = detail::make_empty({n.moments()}, dtype, device),
          .var = detail::make_empty({n.moments()}, kFloat64, device),
          .rstd = {}};
}

// Copies: running statistics move on while a graph waits for its backward.
Moments given_moments(const Tensor& mean, const Tensor& var, Dtype dtype, double eps) {
  const NoGrad guard;
  return {.mean = mean.detach().to(dtype).contiguous().clone(),
          .var = {},
          .rstd = rsqrt(var.detach().to(dtype) + eps),
          .constant = true};
}

struct Norm final : Op {
  const char* call;
  Normalization n;
  double eps;
  Moments moments;
  Shape x_sizes, w_sizes;
  Dtype w_type = kFloat32, b_type = kFloat32;
  Norm(const char* c, const Normalization& norm, double e, const Moments& m) : call(c), n(norm), eps(e), moments(m) {}
  const char* name() const override { return call; }
  // Four for the moments, three for the rest.
  std::int64_t flops(const Tensor& y, const Tensor&, const Tensor&, const Tensor&) const {
    return (moments.constant ? 3 : 7) * y.numel();
  }

  Tensor forward(const Tensor& x_given, const Tensor& weight, const Tensor& bias) {
    x_sizes = x_given.sizes();
    if (weight.defined()) {
      w_sizes = weight.sizes();
      w_type = weight.dtype();
    }
    if (bias.defined()) {
      w_sizes = bias.sizes();
      b_type = bias.dtype();
    }
    if (needs(1) || (needs(0) && !moments.constant)) save(0, x_given);
    if (needs(0) && weight.defined()) save(1, weight);
    const Tensor x = operand(x_given), y = detail::make_empty(x_sizes, x.dtype(), x.device());
    const Tensor w = weight.defined() ? operand(weight) : Tensor(), b = bias.defined() ? operand(bias) : Tensor();
    if (n.numel() > 0) {
      if (!moments.constant) {
        kernels(x.device())
            .moments(x.dtype(), n, eps, x.impl()->data, moments.mean.impl()->data,
                     static_cast<double*>(moments.var.data_ptr()));
        moments.take_rstd(eps);
      }
      kernels(x.device())
          .normalize(x.dtype(), n, x.impl()->data, moments.mean.impl()->data, moments.rstd.impl()->data, pointer(w),
                     pointer(b), y.impl()->data);
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
  Tensor x() const { return has_saved(0) ? saved(0) : Tensor(); }
  Tensor weight() const { return has_saved(1) ? saved(1) : Tensor(); }

  void fused(const Tensor& g_given, Grads gx) {
    const Tensor g = operand(g_given), in = x().defined() ? operand(x()) : Tensor();
    const Tensor w = weight().defined() ? operand(weight()) : Tensor();
    const Tensor to = needs(0) ? detail::make_empty(x_sizes, g.dtype(), g.device()) : Tensor();
    // The bias alone needs no deviations from the mean.
    const bool sums = needs(1) || (needs(2) && in.defined());
    const Tensor gw = sums ? detail::make_empty(w_sizes, g.dtype(), g.device()) : Tensor();
    const Tensor gb = sums ? detail::make_empty(w_sizes, g.dtype(), g.device()) : Tensor();
    if (needs(0) || sums) {
      const auto kernel = [&] {
        kernels(g.device())
            .normalize_backward(g.dtype(), n, moments.constant, g.impl()->data, pointer(in), moments.mean.impl()->data,
                                moments.rstd.impl()->data, pointer(w), to.defined() ? to.impl()->data : nullptr,
                                sums ? gw.impl()->data : nullptr, sums ? gb.impl()->data : nullptr);
        return to.defined() ? to : gw;
      };
      detail::observed(name(), kernel, g, in, w);
    }
    if (needs(0)) gx[0] = to.to(g_given.dtype());
    if (needs(1)) gx[1] = gw.to(w_type);
    if (needs(2)) gx[2] = (sums ? gb : bias_gradient(g)).to(b_type);
  }

  Tensor seen(const Tensor& x) const { return reshape(x, {n.batch, n.groups, n.channels, n.space}); }
  Tensor bias_gradient(const Tensor& g) const { return reshape(sum(seen(g), {0, 3}), w_sizes); }

  // The same from differentiable operations.
  void differentiable(const Tensor& g_given, Grads gx) {
    const Dims over = n.over_batch ? Dims{0, 2, 3} : Dims{2, 3};
    const Dtype compute = compute_type(g_given.dtype());
    const Shape kept = n.over_batch ? Shape{1, n.groups, 1, 1} : Shape{n.batch, n.groups, 1, 1};
    const Tensor g = seen(g_given.to(compute));
    Tensor normal, rstd = reshape(moments.rstd, kept);
    if (x().defined()) {
      const Normal own =
          differentiable_normal(seen(x().to(compute)), reshape(moments.mean, kept), rstd, over, eps, moments.constant);
      normal = own.x;
      rstd = own.rstd;
    }
    if (needs(0)) {
      const Tensor weighed = weight().defined() ? g * reshape(weight().to(compute), {1, n.groups, n.channels, 1}) : g;
      Tensor inner = weighed;
      if (!moments.constant) {
        inner = weighed - mean(weighed, over, true) - normal * mean(weighed * normal, over, true);
      }
      gx[0] = reshape(inner * rstd, x_sizes).to(g_given.dtype());
    }
    if (needs(1)) gx[1] = reshape(sum(g * normal, {0, 3}), w_sizes).to(w_type);
    if (needs(2)) gx[2] = bias_gradient(g).to(b_type);
  }
};

// --- checks ---

void check_input(const char* call, const Tensor& x, std::int64_t least_rank, double eps) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
  }
  if (x.dim() < least_rank) {
    throw ShapeError(std::string(call) + ": needs at least " + std::to_string(least_rank) + " dimensions, got " +
                     to_string(x.sizes()));
  }
  // Zero is allowed: PyTorch takes it.
  if (!(eps >= 0) || std::isinf(eps)) {
    throw ValueError(std::string(call) + ": eps must be a number of at least 0, got " + std::to_string(eps));
  }
}

void check_weights(const char* call, const char* what, const Tensor& weight, const Tensor& x, const Shape& sizes) {
  if (!weight.defined()) return;
  if (weight.sizes() != sizes) {
    throw ShapeError(std::string(call) + ": need " + what + " " + to_string(sizes) + " for x " + to_string(x.sizes()) +
                     ", got " + to_string(weight.sizes()));
  }
  if (weight.dtype() != x.dtype() && weight.dtype() != compute_type(x.dtype())) {
    throw DtypeError(std::string(call) + ": " + what + " must be of x's type, " + to_string(x.dtype()) + ", got " +
                     to_string(weight.dtype()));
  }
}

void check_momentum(const char* call, double momentum) {
  if (!std::isfinite(momentum)) {
    throw ValueError(std::string(call) + ": momentum must be finite, got " + std::to_string(momentum));
  }
}

void check_running(const char* call, const Tensor& x, const Tensor& mean, const Tensor& var) {
  const Shape channels{x.sizes()[1]};
  check_weights(call, "running_mean", mean, x, channels);
  check_weights(call, "running_var", var, x, channels);
  if (mean.defined() != var.defined()) {
    throw ValueError(std::string(call) + ": running_mean and running_var go together, got one of them");
  }
}

void check_several(const char* call, const Normalization& n, const Tensor& x) {
  if (n.per_moment() == 1) {
    throw ValueError(std::string(call) + ": one value has no variance: needs more to average over, got x " +
                     to_string(x.sizes()));
  }
}

// running = (1 - momentum) running + momentum value, in place.
void move(const Tensor& running, const Tensor& value, double momentum) {
  Tensor to = running;
  to.mul_(1 - momentum).add_(value.to(running.dtype()), momentum);
}

void move_running(const Normalization& n, const Moments& m, const Tensor& mean, const Tensor& var, double momentum) {
  const NoGrad guard;
  const auto count = static_cast<double>(n.per_moment());
  const auto of_channels = [&](const Tensor& x) {
    return n.over_batch ? x : gradus::mean(reshape(x, {n.batch, n.groups}), 0);
  };
  move(mean, of_channels(m.mean), momentum);
  move(var, of_channels(m.var) * (count / (count - 1)), momentum);
}

Tensor normalized(const char* call, const Normalization& n, double eps, const Moments& moments, const Tensor& x,
                  const Tensor& weight, const Tensor& bias, const After& after) {
  const bool rows = n.over_batch && n.numel() > 0 && has_rows(x.dtype()) && prefers_channels_last(x);
  const Tensor& r = after.residual;
  if (rows && (!r.defined() || (r.sizes() == x.sizes() && r.dtype() == x.dtype()))) {
    return rows_norm(call, eps, moments, x, weight, bias, after);
  }
  Tensor y = apply(Norm(call, n, eps, moments), x, weight, bias);
  if (r.defined()) y = y + r;
  return after.relu ? relu(y) : y;
}

Tensor with_running(const char* call, const Normalization& n, const Tensor& x, const Tensor& running_mean,
                    const Tensor& running_var, const Tensor& weight, const Tensor& bias, bool own, double momentum,
                    double eps, const After& after = {}) {
  check_running(call, x, running_mean, running_var);
  check_weights(call, "weight", weight, x, {x.sizes()[1]});
  check_weights(call, "bias", bias, x, {x.sizes()[1]});
  check_momentum(call, momentum);
  const Dtype compute = compute_type(x.dtype());
  if (!own) {
    if (!running_mean.defined()) {
      throw ValueError(std::string(call) + ": without statistics of x it needs running_mean and running_var");
    }
    Normalization over = n;
    over.over_batch = true;
    return normalized(call, over, eps, given_moments(running_mean, running_var, compute, eps), x, weight, bias, after);
  }
  check_several(call, n, x);
  const Moments moments = own_moments(n, compute, x.device());
  const Tensor y = normalized(call, n, eps, moments, x, weight, bias, after);
  if (running_mean.defined() && n.numel() > 0) move_running(n, moments, running_mean, running_var, momentum);
  return y;
}

// x [N, C, ...] with each channel a group.
Normalization of_channels(const Tensor& x, bool over_batch) {
  Normalization n{.batch = x.sizes()[0], .groups = x.sizes()[1], .over_batch = over_batch};
  for (int d = 2; d < x.sizes().rank(); ++d) n.space *= x.sizes()[d];
  return n;
}

}  // namespace

void Moments::take_rstd(double eps) {
  const kernel::Loop loop = kernel::loop_of<InverseRoot, double, double, 1>();
  const InverseRoot formula{eps};
  rstd = detail::make_empty(var.sizes(), mean.dtype(), var.device());
  const kernel::Operand from{var.impl()->data, kFloat64, var.strides()};
  kernels(var.device())
      .elementwise(var.sizes(), {rstd.impl()->data, rstd.dtype(), rstd.strides()}, {&from, 1}, kFloat64, kFloat64,
                   {loop, &formula});
}

// x is brought near a variance of 1 by constants first: squares then neither overflow nor vanish.
Normal ops::differentiable_normal(const Tensor& x, const Tensor& mean, const Tensor& rstd, const Dims& over, double eps,
                                  bool constant) {
  const Tensor near = (x - mean) * rstd;
  if (constant) return {near, rstd};
  const Tensor deviation = near - gradus::mean(near, over, true);
  const Tensor correction = rsqrt(gradus::mean(square(deviation), over, true) + square(rstd * std::sqrt(eps)));
  return {deviation * correction, rstd * correction};
}

Tensor ops::batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                       const Tensor& bias, bool training, double momentum, double eps, const After& after) {
  check_input("batch_norm", x, 2, eps);
  return with_running("batch_norm", of_channels(x, true), x, running_mean, running_var, weight, bias, training,
                      momentum, eps, after);
}

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum, double eps) {
  if (training && running_mean.defined()) detail::begin_loss("batch_norm", x, x);  // for audits, as in dropout()
  return ops::batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps, {});
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                     const Tensor& bias, bool use_input_stats, double momentum, double eps) {
  check_input("instance_norm", x, 3, eps);
  return with_running("instance_norm", of_channels(x, false), x, running_mean, running_var, weight, bias,
                      use_input_stats, momentum, eps);
}

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps) {
  check_input("layer_norm", x, 0, eps);
  const int rank = x.sizes().rank(), inner = normalized_shape.rank();
  Normalization n{.batch = 1};
  bool fits = inner >= 1 && inner <= rank;
  for (int d = 0; d < rank && fits; ++d) {
    const int k = d - (rank - inner);
    fits = k < 0 || x.sizes()[d] == normalized_shape[k];
    (k < 0 ? n.batch : n.channels) *= x.sizes()[d];
  }
  if (!fits) {
    throw ShapeError("layer_norm: need x whose last sizes are normalized_shape " + to_string(normalized_shape) +
                     ", got " + to_string(x.sizes()));
  }
  check_weights("layer_norm", "weight", weight, x, normalized_shape);
  check_weights("layer_norm", "bias", bias, x, normalized_shape);
  return apply(Norm("layer_norm", n, eps, own_moments(n, compute_type(x.dtype()), x.device())), x, weight, bias);
}

Tensor group_norm(const Tensor& x, std::int64_t num_groups, const Tensor& weight, const Tensor& bias, double eps) {
  check_input("group_norm", x, 2, eps);
  const std::int64_t channels = x.sizes()[1];
  if (num_groups < 1 || channels % num_groups != 0) {
    throw ValueError("group_norm: num_groups must divide the " + std::to_string(channels) + " channels, got " +
                     std::to_string(num_groups));
  }
  Normalization n = of_channels(x, false);
  n.groups = num_groups;
  n.channels = channels / num_groups;
  check_weights("group_norm", "weight", weight, x, {channels});
  check_weights("group_norm", "bias", bias, x, {channels});
  if (n.batch == 1) check_several("group_norm", n, x);
  return apply(Norm("group_norm", n, eps, own_moments(n, compute_type(x.dtype()), x.device())), x, weight, bias);
}

}  // namespace gradus
