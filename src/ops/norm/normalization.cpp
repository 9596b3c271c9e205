// Batch, instance, layer and group normalisation: one operation (normalize.cpp), with moments of different parts.
#include <gradus/ops.h>
#include <gradus/ops/normalization.h>

#include <cmath>

#include "ops/elementwise/elementwise.h"
#include "ops/norm/batch_norm.h"
#include "ops/norm/normalize.h"

namespace gradus {

using namespace ops;

namespace {

using kernel::Normalization;

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

Tensor with_running(const char* call, const Normalization& n, const Tensor& x, const Tensor& running_mean,
                    const Tensor& running_var, const Tensor& weight, const Tensor& bias, bool own, double momentum,
                    double eps, const Epilogue& then = {}) {
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
    return normalize(call, over, eps, Moments::given(running_mean, running_var, compute, eps), x, weight, bias, then);
  }
  check_several(call, n, x);
  const Moments moments = Moments::of(n, x);
  const Tensor y = normalize(call, n, eps, moments, x, weight, bias, then);
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

Tensor ops::batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                       const Tensor& bias, bool training, double momentum, double eps, const Epilogue& then) {
  check_input("batch_norm", x, 2, eps);
  return with_running("batch_norm", of_channels(x, true), x, running_mean, running_var, weight, bias, training,
                      momentum, eps, then);
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
  return normalize("layer_norm", n, eps, Moments::of(n, x), x, weight, bias);
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
  return normalize("group_norm", n, eps, Moments::of(n, x), x, weight, bias);
}

}  // namespace gradus
