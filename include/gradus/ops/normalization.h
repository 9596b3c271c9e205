// Normalisation: torch.nn.functional's names, argument order and defaults. y = (x - mean) / sqrt(var + eps) * weight +
// bias, with moments of different parts of x and biased variances. weight and bias may be absent. float32 weights and
// statistics go with bfloat16 inputs; else all have one type. Differentiable to any order.
#pragma once

#include <optional>

#include <gradus/tensor.h>

namespace gradus {

// x [N, C] or [N, C, spatial...]; everything else [C]. Ioffe and Szegedy (2015).
//
// In training the moments are those of x over all but the channels; then running_mean and running_var, where they are
// given, move by `momentum` towards them in place (the variance unbiased). One value per channel has no variance:
// ValueError. In evaluation they are the moments, and constants to the gradient.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight = Tensor(), const Tensor& bias = Tensor(), bool training = false,
                  double momentum = 0.1, double eps = 1e-5);

// As batch_norm, for each sample by itself; x [N, C, spatial...]. The running statistics are means over the batch, and
// are used instead where use_input_stats is false. Ulyanov et al. (2016).
Tensor instance_norm(const Tensor& x, const Tensor& running_mean = Tensor(), const Tensor& running_var = Tensor(),
                     const Tensor& weight = Tensor(), const Tensor& bias = Tensor(), bool use_input_stats = true,
                     double momentum = 0.1, double eps = 1e-5);

// Moments over the last dimensions, whose sizes are normalized_shape; weight and bias have these sizes too. Ba et al.
// (2016).
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = Tensor(),
                  const Tensor& bias = Tensor(), double eps = 1e-5);

// x / sqrt(mean(x^2) + eps) * weight over the last dimensions, whose sizes are normalized_shape and weight's. An unset
// eps is the machine epsilon of the type computed in. Zhang and Sennrich (2019).
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = Tensor(),
                std::optional<double> eps = {});

// x [N, C, ...]; moments of C / num_groups channels at a time, of each sample. weight and bias [C]. Wu and He (2018).
Tensor group_norm(const Tensor& x, std::int64_t num_groups, const Tensor& weight = Tensor(),
                  const Tensor& bias = Tensor(), double eps = 1e-5);

}  // namespace gradus
