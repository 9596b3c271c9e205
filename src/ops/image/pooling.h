// Max pooling with the ReLU before it: the relu of the largest element is the largest of the relus.
#pragma once

#include <gradus/ops/spatial.h>
#include <gradus/tensor.h>

namespace gradus::ops {

// max_pool(relu(x)), bit for bit but for the sign of a zero, without keeping relu(x). For 1 to 3 dimensions; errors
// are those of max_pool.
template <int N>
Tensor max_pool_of_relu(const Tensor& x, const Spatial<N>& kernel_size, const std::optional<Spatial<N>>& stride,
                        const Spatial<N>& padding, const Spatial<N>& dilation, bool ceil_mode);

}  // namespace gradus::ops
