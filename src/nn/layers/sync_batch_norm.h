// Batch normalisation over what all processes have.
#pragma once

#include <gradus/nn/normalization.h>

namespace gradus::nn {

// x normalised by the moments over all ranks; moves the running statistics by `share`, where there are any.
Tensor synchronized_batch_norm(BatchNorm& norm, const Tensor& x, double share);

}  // namespace gradus::nn
