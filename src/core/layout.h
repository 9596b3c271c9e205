// Channels-last memory: [N, C, spatial...] by its sizes, with the channels of a place beside each other. It is an
// ordinary strided tensor. Convolutions choose it for their results, and what follows keeps it.
#pragma once

#include "core/tensor_access.h"

namespace gradus::detail {

// For [N, C, spatial...] of four or five dimensions.
Shape channels_last_strides(const Shape& sizes);

// Also where it is row-major at the same time: one channel, or one place.
bool is_channels_last(const TensorImpl& x);
inline bool is_channels_last(const Tensor& x) { return is_channels_last(*x.impl()); }

Tensor make_channels_last(const Shape& sizes, Dtype dtype, Device device);

// Uninitialised, on the device of x, and channels-last where x, which has as many dimensions, is so and not row-major.
Tensor make_like(const Tensor& x, const Shape& sizes, Dtype dtype);

}  // namespace gradus::detail
