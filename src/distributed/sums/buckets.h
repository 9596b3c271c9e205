// Tensors of any sizes and types, in pieces that are reduced as one.
#pragma once

#include <gradus/tensor.h>

#include <memory>
#include <vector>

#include "distributed/sums/reduction.h"

namespace gradus::distributed {

struct Bucket {
  struct Piece {
    std::size_t tensor;        // which one
    std::int64_t from, count;  // its elements
    std::int64_t at;           // where they are in the bucket
  };
  Dtype dtype;  // float32 or float64
  std::int64_t size = 0;
  std::vector<Piece> pieces = {};
  std::vector<std::int64_t> shares = {};  // as Reduction takes them; empty: all ranks get the sums
  std::size_t waiting = 0;                // pieces that are not ready
  bool started = false;
  std::unique_ptr<Reduction> reduction = {};
};

// How sums of such elements are made: in float64, else in float32.
Dtype sum_type(Dtype dtype);

// `order` says which of the tensors, and in which order. A tensor larger than a bucket is in several. `owners`: the
// ranks that alone get the sums; -1: all do. Buckets for single ranks come first.
std::vector<Bucket> buckets_of(const std::vector<Tensor>& tensors, const std::vector<std::size_t>& order,
                               std::int64_t bytes, const std::vector<int>& owners, int ranks);
// As many as buckets_of makes at most.
std::uint32_t most_buckets(const std::vector<Tensor>& tensors, std::int64_t bytes);

}  // namespace gradus::distributed
