// Running averages of batch normalisation over chunks that run in several processes: each chunk's share is kept apart,
// and all are added in the order of the chunks.
#pragma once

#include <gradus/nn/normalization.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus::distributed {

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
