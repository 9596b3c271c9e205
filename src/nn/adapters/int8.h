// Linear layers whose weight is int8, with a scale for each row.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn::detail {

inline bool is_int8(const Tensor& weight) { return weight.defined() && weight.dtype() == kInt8; }

// x (weight * scale)^T + bias; only x and the bias have gradients.
Tensor int8_linear(const Module& layer, const Tensor& x, const Tensor& weight, const Tensor& bias);

// The weight as floating-point numbers.
Tensor dense_weight(const Module& layer, const Tensor& weight);

}  // namespace gradus::nn::detail
