#include <gradus/nn/layers/normalization.h>
#include <gradus/nn/layers/sync_batch_norm.h>
#include <gradus/ops/normalization.h>

#include "nn/layers/sync_batch_norm.h"
#include "nn/module/initial.h"
#include "nn/module/repr.h"
#include "ops/norm/batch_norm.h"

namespace gradus::nn {

namespace {

// A number of features or channels.
std::int64_t counted(const char* layer, const char* what, std::int64_t n) {
  if (n < 0) throw ValueError(std::string(layer) + ": " + what + " must not be negative, got " + std::to_string(n));
  return n;
}

}  // namespace

std::atomic<Tensor (*)(BatchNorm& norm, const Tensor& x, double share)> synchronized_batch_norm = nullptr;

bool SyncBatchNorm::is_synchronized(const Module& module) { return module.state()->type == kSyncBatchNorm; }

RunningNorm::RunningNorm(const char* type, std::int64_t num_features, const BatchNormOptions& o)
    : Module(type, std::to_string(num_features) + ", eps=" + repr(o.eps) +
                       ", momentum=" + (o.momentum ? repr(*o.momentum) : "None") + ", affine=" + repr(o.affine) +
                       ", bias=" + repr(o.affine && o.bias) + ", track_running_stats=" + repr(o.track_running_stats)),
      num_features(num_features),
      eps_(o.eps),
      momentum_(o.momentum) {
  const Shape sizes{counted(type, "num_features", num_features)};
  weight = add("weight", o.affine ? constant_parameter(sizes, 1, o.dtype) : Parameter());
  bias = add("bias", o.affine && o.bias ? constant_parameter(sizes, 0, o.dtype) : Parameter());
  const bool track = o.track_running_stats;
  running_mean = add("running_mean", track ? Buffer(zeros(sizes, {.dtype = o.dtype})) : Buffer());
  running_var = add("running_var", track ? Buffer(ones(sizes, {.dtype = o.dtype})) : Buffer());
  num_batches_tracked = add("num_batches_tracked", track ? Buffer(tensor(std::int64_t{0})) : Buffer());
}

void RunningNorm::reset_running_stats() {
  if (!running_mean.defined()) return;
  running_mean.zero_();
  running_var.fill_(1);
  num_batches_tracked.zero_();
}

void RunningNorm::check_rank(const Tensor& x, std::int64_t least, std::int64_t most) const {
  if (x.dim() >= least && x.dim() <= most) return;
  throw ShapeError(type_name() + ": needs x of " + std::to_string(least) +
                   (most > least ? " or " + std::to_string(most) : "") + " dimensions, got " +
                   gradus::to_string(x.sizes()));
}

BatchNorm::BatchNorm(const char* type, std::int64_t num_features, const BatchNormOptions& options,
                     std::int64_t least_rank, std::int64_t most_rank)
    : RunningNorm(type, num_features, options), least_rank_(least_rank), most_rank_(most_rank) {}

Tensor BatchNorm::forward(const Tensor& x, const Tensor& residual, bool relu) {
  check_rank(x, least_rank_, most_rank_);
  const bool tracked = running_mean.defined(), moves = tracked && is_training();
  const double share = momentum() ? *momentum() : moves ? 1 / (num_batches_tracked.item() + 1) : 0;
  Tensor y;
  const auto over_all_ranks = synchronized_batch_norm.load(std::memory_order_relaxed);
  if (over_all_ranks != nullptr && is_training() && SyncBatchNorm::is_synchronized(*this))
    y = over_all_ranks(*this, x, share);
  if (y.defined()) {
    if (residual.defined()) y = y + residual;
    if (relu) y = gradus::relu(y);
  } else {
    y = ops::batch_norm(x, running_mean, running_var, weight, bias, moves || !tracked, share, eps(),
                        {.residual = residual, .relu = relu});
  }
  if (moves) num_batches_tracked.add_(1);
  return y;
}

InstanceNorm::InstanceNorm(const char* type, std::int64_t num_features, const InstanceNormOptions& o, std::int64_t rank)
    : RunningNorm(type, num_features,
                  {.eps = o.eps,
                   .momentum = o.momentum,
                   .affine = o.affine,
                   .track_running_stats = o.track_running_stats,
                   .dtype = o.dtype,
                   .bias = o.bias}),
      rank_(rank) {}

Tensor InstanceNorm::forward(const Tensor& x) {
  check_rank(x, rank_ - 1, rank_);
  const bool single = x.dim() == rank_ - 1, tracked = running_mean.defined();
  const Tensor y = instance_norm(single ? unsqueeze(x, 0) : x, running_mean, running_var, weight, bias,
                                 is_training() || !tracked, momentum().value_or(0), eps());
  return single ? squeeze(y, 0) : y;
}

LayerNorm::LayerNorm(const Shape& normalized_shape, const LayerNormOptions& o)
    : Module("LayerNorm", tuple(normalized_shape) + ", eps=" + repr(o.eps) + ", elementwise_affine=" +
                              repr(o.elementwise_affine) + ", bias=" + repr(o.elementwise_affine && o.bias)),
      normalized_shape_(normalized_shape),
      eps_(o.eps) {
  check_sizes("LayerNorm", normalized_shape);
  weight = add("weight", o.elementwise_affine ? constant_parameter(normalized_shape, 1, o.dtype) : Parameter());
  bias = add("bias", o.elementwise_affine && o.bias ? constant_parameter(normalized_shape, 0, o.dtype) : Parameter());
}

Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, normalized_shape_, weight, bias, eps_); }

RMSNorm::RMSNorm(const Shape& normalized_shape, const RMSNormOptions& o)
    : Module("RMSNorm", tuple(normalized_shape) + ", eps=" + (o.eps ? repr(*o.eps) : "None") +
                            ", elementwise_affine=" + repr(o.elementwise_affine)),
      normalized_shape_(normalized_shape),
      eps_(o.eps) {
  check_sizes("RMSNorm", normalized_shape);
  weight = add("weight", o.elementwise_affine ? constant_parameter(normalized_shape, 1, o.dtype) : Parameter());
}

Tensor RMSNorm::forward(const Tensor& x) { return rms_norm(x, normalized_shape_, weight, eps_); }

GroupNorm::GroupNorm(std::int64_t num_groups, std::int64_t num_channels, const GroupNormOptions& o)
    : Module("GroupNorm", std::to_string(num_groups) + ", " + std::to_string(num_channels) + ", eps=" + repr(o.eps) +
                              ", affine=" + repr(o.affine) + ", bias=" + repr(o.affine && o.bias)),
      num_groups_(num_groups),
      num_channels_(counted("GroupNorm", "num_channels", num_channels)),
      eps_(o.eps) {
  if (num_groups < 1 || num_channels % num_groups != 0) {
    throw ValueError("GroupNorm: num_groups must divide num_channels, got " + std::to_string(num_groups) + " and " +
                     std::to_string(num_channels));
  }
  weight = add("weight", o.affine ? constant_parameter({num_channels}, 1, o.dtype) : Parameter());
  bias = add("bias", o.affine && o.bias ? constant_parameter({num_channels}, 0, o.dtype) : Parameter());
}

Tensor GroupNorm::forward(const Tensor& x) {
  if (x.dim() >= 2 && x.size(1) != num_channels_) {
    throw ShapeError("GroupNorm: needs x [N, " + std::to_string(num_channels_) + ", ...], got " +
                     gradus::to_string(x.sizes()));
  }
  return group_norm(x, num_groups_, weight, bias, eps_);
}

}  // namespace gradus::nn
