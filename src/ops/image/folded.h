// What a frozen network is made of: a convolution, the batch normalisation after it folded into its weights, and what
// follows, in one pass. For inference: nothing is recorded.
#pragma once

#include <gradus/ops/spatial.h>

#include "ops/norm/epilogue.h"

namespace gradus::ops {

struct FoldedNorm {
  Tensor mean, var, weight, bias;  // running statistics; weight and bias may be undefined
  double eps;
};

// relu(batch_norm(conv2d(x, ...)) + residual). The folded weights are kept beside `weight`, and made anew when one of
// the tensors has changed. Undefined where oneDNN has no loops for it: call the parts then.
Tensor folded_conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Spatial<2>& stride,
                     const ConvPadding<2>& padding, const Spatial<2>& dilation, std::int64_t groups,
                     const FoldedNorm& norm, const Epilogue& next);

}  // namespace gradus::ops
