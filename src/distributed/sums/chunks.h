// What is special about a batch whose chunks run in several processes.
#pragma once

#include <gradus/nn/layers/normalization.h>
#include <gradus/nn/parallel.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradus::distributed {

// This rank's chunks of a batch.
struct ChunkedBatch {
  std::vector<nn::Chunk> chunks;      // some may be empty
  std::optional<std::int64_t> total;  // samples of all ranks; unset: they must be asked
};
// Of `all` chunks. ValueError where the batch was not cut into as many.
ChunkedBatch chunks_of(std::int64_t batch_size, std::int64_t all);
ChunkedBatch chunks_of(const data::Batch& batch, std::int64_t all);
// The samples of a chunk.
data::Batch chunk_of(const data::Batch& batch, const nn::Chunk& chunk);

// Running averages of batch normalisation: each chunk's share is kept apart, and all are added in the order of the
// chunks.
class __attribute__((visibility("hidden"))) ChunkNorms {
 public:
  explicit ChunkNorms(nn::Module& module);
  void begin(std::int64_t chunk);
  std::string end(std::int64_t chunk);  // what the chunk did, as bytes
  void restore();                       // as before the first chunk
  // `chunks`: of all ranks, in order; empty ones did nothing.
  void finish(const std::vector<std::string>& chunks);
  std::size_t bytes() const { return bytes_; }  // of what end() returns

 private:
  struct Norm {
    nn::RunningNorm* module;
    Tensor mean, var;  // before
    std::int64_t count;
    bool counts;  // in num_batches_tracked; instance normalisation does not
  };
  std::vector<Norm> norms_;
  std::size_t bytes_ = 0;
};

}  // namespace gradus::distributed
