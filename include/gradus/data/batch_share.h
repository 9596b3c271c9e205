// data::BatchShare: what one process of several makes of each batch of a loader.
//
//   data::DataLoader train(dataset, {.batch_size = 256, .shuffle = true, .seed = 1, .share = ddp.batch_share()});
//   data::DataLoader test(dataset, {.batch_size = 500, .share = ddp.evaluation_share()});
#pragma once

#include <cstdint>

namespace gradus::data {

// Names are those of torch.utils.data.DistributedSampler. All processes give their loaders one seed. Nothing is padded:
// a batch has the same samples for any number of processes, and every sample is in one process only.
struct BatchShare {
  std::int64_t num_replicas = 1;
  std::int64_t rank = 0;
  // Each batch is cut into so many chunks, of which a replica takes some that follow each other; at least one each, and
  // 0 stands for that. As nn::DistributedDataParallelOptions::chunks.
  std::int64_t chunks = 0;
  // Batches are not cut: the replicas take them in turn. For evaluation, where a batch is computed as one process
  // would.
  bool whole = false;
};

}  // namespace gradus::data
