#pragma once

#include "gradus/data/dataset.h"

namespace gradus::data {

// The rows of one or two tensors as a batch; `target` may be undefined. IndexError.
Batch rows_of(const Tensor& data, const Tensor& target, std::span<const std::int64_t> indices);

}  // namespace gradus::data
