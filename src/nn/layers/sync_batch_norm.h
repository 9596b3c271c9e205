// Batch normalisation over what all processes have.
#pragma once

#include <gradus/nn/layers/normalization.h>

#include <atomic>

namespace gradus::nn {

// x normalised by the moments over all ranks; moves the running statistics by `share`, where there are any. Undefined
// if there are no other ranks. Null until a layer is made that synchronises: so a program with batch normalisation
// alone does not contain what connects processes.
extern std::atomic<Tensor (*)(BatchNorm& norm, const Tensor& x, double share)> synchronized_batch_norm;

// The type of a converted layer, which all its handles share.
inline constexpr const char* kSyncBatchNorm = "SyncBatchNorm";

}  // namespace gradus::nn
