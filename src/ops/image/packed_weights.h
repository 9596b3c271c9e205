// The weights of a convolution as its loops want them, kept for a weight that needs no gradient until it, or what
// was folded into it, changes.
#pragma once

#include <span>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"

namespace gradus::ops {

struct KeptWeights {
  std::shared_ptr<const kernel::PackedWeights> packed;
  Tensor bias;  // folded; undefined without one
};

// Nothing is kept of memory that a pointer to write through has left (Tensor::data_ptr).
//
// What was kept for `weight`, the first of the sources, made of them as they are now; else null. It may not fit other
// sizes.
std::shared_ptr<const KeptWeights> kept_weights(const Tensor& weight, std::span<const Tensor> sources);
void keep_weights(const Tensor& weight, std::span<const Tensor> sources, KeptWeights made);

}  // namespace gradus::ops
