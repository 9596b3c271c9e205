// Normalisation as modules; the functions and their formulas are in gradus/ops/normalization.h. Weights start at 1 and
// biases at 0.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  // unset: running statistics are averages over all batches
  bool affine = true;
  bool track_running_stats = true;
  Dtype dtype = kFloat32;
  bool bias = true;  // with affine
};

struct InstanceNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  // unset: running statistics stand still
  bool affine = false;
  bool track_running_stats = false;
  Dtype dtype = kFloat32;
  bool bias = true;  // with affine
};

// What batch and instance normalisation share: weight and bias [num_features] where they are affine; running_mean,
// running_var [num_features] and num_batches_tracked [] where statistics are tracked. Undefined where not.
class RunningNorm : public Module {
 public:
  std::int64_t num_features;
  Parameter weight, bias;
  Buffer running_mean, running_var, num_batches_tracked;
  double eps() const { return eps_; }
  const std::optional<double>& momentum() const { return momentum_; }
  void reset_running_stats();  // means 0, variances 1, no batch tracked

 protected:
  RunningNorm(const char* type, std::int64_t num_features, const BatchNormOptions& options);
  // ShapeError unless x has `least` to `most` dimensions.
  void check_rank(const Tensor& x, std::int64_t least, std::int64_t most) const;

 private:
  double eps_;
  std::optional<double> momentum_;
};

// While training, x is normalised by its own moments over all but the channels, and the running statistics follow
// them. In evaluation, and so when frozen, by the running statistics, which stand still; without any, by x's moments.
class BatchNorm : public RunningNorm {
 public:
  Tensor forward(const Tensor& x) override { return forward(x, Tensor(), false); }
  // relu(forward(x) + residual), in fewer passes over memory; an undefined residual adds nothing.
  Tensor forward(const Tensor& x, const Tensor& residual, bool relu);

 protected:
  BatchNorm(const char* type, std::int64_t num_features, const BatchNormOptions& options, std::int64_t least_rank,
            std::int64_t most_rank);

 private:
  std::int64_t least_rank_, most_rank_;
};

struct BatchNorm1d : BatchNorm {  // [N, C] or [N, C, L]
  explicit BatchNorm1d(std::int64_t features, const BatchNormOptions& options = {})
      : BatchNorm("BatchNorm1d", features, options, 2, 3) {}
};
struct BatchNorm2d : BatchNorm {  // [N, C, H, W]
  explicit BatchNorm2d(std::int64_t features, const BatchNormOptions& options = {})
      : BatchNorm("BatchNorm2d", features, options, 4, 4) {}
};
struct BatchNorm3d : BatchNorm {  // [N, C, D, H, W]
  explicit BatchNorm3d(std::int64_t features, const BatchNormOptions& options = {})
      : BatchNorm("BatchNorm3d", features, options, 5, 5) {}
};

// By the moments of each sample and channel; in evaluation by running statistics where they are tracked. x may lack the
// batch.
class InstanceNorm : public RunningNorm {
 public:
  Tensor forward(const Tensor& x) override;

 protected:
  InstanceNorm(const char* type, std::int64_t num_features, const InstanceNormOptions& options, std::int64_t rank);

 private:
  std::int64_t rank_;
};

struct InstanceNorm1d : InstanceNorm {  // [N, C, L]
  explicit InstanceNorm1d(std::int64_t features, const InstanceNormOptions& options = {})
      : InstanceNorm("InstanceNorm1d", features, options, 3) {}
};
struct InstanceNorm2d : InstanceNorm {  // [N, C, H, W]
  explicit InstanceNorm2d(std::int64_t features, const InstanceNormOptions& options = {})
      : InstanceNorm("InstanceNorm2d", features, options, 4) {}
};
struct InstanceNorm3d : InstanceNorm {  // [N, C, D, H, W]
  explicit InstanceNorm3d(std::int64_t features, const InstanceNormOptions& options = {})
      : InstanceNorm("InstanceNorm3d", features, options, 5) {}
};

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;
  bool bias = true;
  Dtype dtype = kFloat32;
};

// Over the last dimensions, whose sizes are normalized_shape; weight and bias have these sizes.
class LayerNorm : public Module {
 public:
  Parameter weight, bias;
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {});
  explicit LayerNorm(std::int64_t features, const LayerNormOptions& options = {})
      : LayerNorm(Shape{features}, options) {}
  Tensor forward(const Tensor& x) override;

 private:
  Shape normalized_shape_;
  double eps_;
};

struct RMSNormOptions {
  std::optional<double> eps = {};  // unset: the machine epsilon of the type computed in
  bool elementwise_affine = true;
  Dtype dtype = kFloat32;
};

// Over the last dimensions, whose sizes are normalized_shape; weight has these sizes. There is no bias.
class RMSNorm : public Module {
 public:
  Parameter weight;
  explicit RMSNorm(const Shape& normalized_shape, const RMSNormOptions& options = {});
  explicit RMSNorm(std::int64_t features, const RMSNormOptions& options = {}) : RMSNorm(Shape{features}, options) {}
  Tensor forward(const Tensor& x) override;

 private:
  Shape normalized_shape_;
  std::optional<double> eps_;
};

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;
  Dtype dtype = kFloat32;
  bool bias = true;  // with affine
};

// [N, num_channels, ...], over num_channels / num_groups channels at a time; weight and bias [num_channels].
class GroupNorm : public Module {
 public:
  Parameter weight, bias;
  GroupNorm(std::int64_t num_groups, std::int64_t num_channels, const GroupNormOptions& options = {});
  Tensor forward(const Tensor& x) override;

 private:
  std::int64_t num_groups_, num_channels_;
  double eps_;
};

}  // namespace gradus::nn
