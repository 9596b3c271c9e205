#pragma once

#include <gradus/tensor.h>

namespace gradus::detail {

// x itself where it has these strides; else a copy, which is recorded.
Tensor with_strides(const Tensor& x, const Shape& strides);

}  // namespace gradus::detail
