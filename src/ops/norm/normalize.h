// The operation that all normalisations by a mean and a variance are.
#pragma once

#include "kernels/norm.h"
#include "ops/norm/epilogue.h"

namespace gradus::ops {

// The moments an operation used, shared with whoever called it: for each group, in the type computed in, but var in
// float64, which holds the square of any float32.
struct Moments {
  Tensor mean, var, rstd;
  bool constant = false;  // given, not taken from x

  // To be taken from x.
  static Moments of(const kernel::Normalization& n, const Tensor& x);
  // Copies: running statistics move on while a graph waits for its backward.
  static Moments given(const Tensor& mean, const Tensor& var, Dtype dtype, double eps);
};

// y = relu((x - mean) rstd weight + bias + residual), where `n` says which elements of x share a mean. All is computed
// in one pass if n.over_batch and x prefers to be channels-last in float32 or bfloat16; else what follows is operations
// of its own. `n` need not say type, layout and whether the moments are constant. Weight and bias may be undefined.
Tensor normalize(const char* call, const kernel::Normalization& n, double eps, const Moments& moments, const Tensor& x,
                 const Tensor& weight, const Tensor& bias, const Epilogue& then = {});

}  // namespace gradus::ops
