// Batch normalisation with what follows it in networks: relu(batch_norm(x) + residual) in as few passes over memory as
// there can be.
#pragma once

#include <gradus/tensor.h>

namespace gradus::ops {

struct After {
  Tensor residual = {};  // undefined: nothing is added
  bool relu = false;
};

// As batch_norm, and the rest.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum, double eps, const After& after);

// The moments an operation used, shared with whoever called it: for each group, in the type computed in, but var in
// float64, which holds the square of any float32.
struct Moments {
  Tensor mean, var, rstd;
  bool constant = false;  // given, not taken from x

  void take_rstd(double eps);  // from var
};

// The normalised x of a backward pass that is differentiated itself, and 1 / std as it depends on x: both of tensors
// that broadcast, with own moments over the dimensions `over`.
struct Normal {
  Tensor x, rstd;
};
Normal differentiable_normal(const Tensor& x, const Tensor& mean, const Tensor& rstd, const Dims& over, double eps,
                             bool constant);

// For channels-last x in float32 or bfloat16, and a residual of x's sizes and type.
Tensor rows_norm(const char* call, double eps, const Moments& moments, const Tensor& x, const Tensor& weight,
                 const Tensor& bias, const After& after);

}  // namespace gradus::ops
