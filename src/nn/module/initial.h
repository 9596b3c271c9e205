// Parameters as layers make them.
#pragma once

#include <gradus/nn/parameter.h>

#include <functional>

namespace gradus::nn {

namespace init {
using Fill = std::function<void(Tensor& x, Generator* generator)>;
// Fills x without recording, by `fill(x, generator)`; null is the default generator. Where that one was drawn from,
// `fill` is kept with x, for draw_in_order.
Tensor& filled(Tensor& x, Generator* generator, Fill fill);
}  // namespace init

// Uniform in +-1/sqrt(fan_in): what PyTorch's linear layers and convolutions start from.
Parameter uniform_parameter(const Shape& sizes, std::int64_t fan_in, Dtype dtype);

// One value everywhere.
inline Parameter constant_parameter(const Shape& sizes, double value, Dtype dtype) {
  return Parameter(full(sizes, value, {.dtype = dtype}));
}

}  // namespace gradus::nn
