// A linear layer and the rectifier after it, in one pass over the result.
#pragma once

#include <gradus/tensor.h>

namespace gradus::ops {

// relu(linear(x, weight, bias)), with the same bits.
Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias);

// leaky_relu(linear(x, weight, bias), negative_slope), with the same bits. Backward may read the result, which must not
// change in place until then; what leaky_relu returns may.
Tensor linear_leaky_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, double negative_slope);

}  // namespace gradus::ops
