// nn::SyncBatchNorm: batch normalisation by the moments of what all processes have. As torch.nn.SyncBatchNorm.
//
//   Net net;
//   nn::SyncBatchNorm::convert_sync_batchnorm(net);
//   nn::DistributedDataParallel ddp(net);
#pragma once

#include <gradus/nn/layers/normalization.h>

namespace gradus::nn {

// x [N, C] or [N, C, spatial...]. While training in several processes, the moments are those over all of them: samples
// of all ranks count alike, however many each has. They are added in the order of the ranks, so that all ranks have
// the same running statistics, bit by bit; another number of ranks rounds them differently. Each call, and each pass
// backward through it, waits for the other ranks. In evaluation, and in a process that is alone, it is BatchNorm.
struct SyncBatchNorm : BatchNorm {
  explicit SyncBatchNorm(std::int64_t features, const BatchNormOptions& options = {});

  // Every batch normalisation of the module becomes one, all handles of it. Returns the module.
  static Module& convert_sync_batchnorm(Module& module);
  // Whether it is one, or was converted.
  static bool is_synchronized(const Module& module);
};

}  // namespace gradus::nn
