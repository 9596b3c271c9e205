// Linear layers whose weight is int8, with a scale for each row.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn::detail {

inline bool is_int8(const Tensor& weight) { return weight.defined() && weight.dtype() == kInt8; }

// x (weight * scale)^T + bias; only x and the bias have gradients.
Tensor int8_linear(const Module& layer, const Tensor& x, const Tensor& weight, const Tensor& bias);

// Numbers from -127 to 127 with a scale for each row: the largest absolute value over 127.
struct Int8Weight {
  Tensor numbers, scale;
};
Int8Weight int8_of(const Tensor& weight);
// The name of the scale's buffer that lies beside a weight of this name.
inline std::string int8_scale_of(const std::string& weight) { return weight + "_scale"; }

// The weight as floating-point numbers.
Tensor dense_weight(const Module& layer, const Tensor& weight);

}  // namespace gradus::nn::detail
