// Batch normalisation with what follows it in networks: relu(batch_norm(x) + residual) in as few passes over memory as
// there can be.
#pragma once

#include "ops/norm/epilogue.h"

namespace gradus::ops {

// As batch_norm, and the rest.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum, double eps, const Epilogue& then);

}  // namespace gradus::ops
