#include "distributed/sums/buckets.h"

#include <algorithm>

namespace gradus::distributed {

Dtype sum_type(Dtype dtype) { return dtype == kFloat64 ? kFloat64 : kFloat32; }

std::vector<Bucket> buckets_of(const std::vector<Tensor>& tensors, const std::vector<std::size_t>& order,
                               std::int64_t bytes) {
  std::vector<Bucket> buckets;
  for (const Dtype dtype : {kFloat32, kFloat64}) {
    const std::int64_t most = std::max<std::int64_t>(1, bytes / element_size(dtype));
    Bucket bucket{dtype};
    const auto close = [&] {
      if (bucket.size > 0) buckets.push_back(std::move(bucket));
      bucket = Bucket{dtype};
    };
    for (const std::size_t i : order) {
      if (sum_type(tensors[i].dtype()) != dtype) continue;
      for (std::int64_t from = 0; from < tensors[i].numel();) {
        const std::int64_t count = std::min(tensors[i].numel() - from, most - bucket.size);
        bucket.pieces.push_back({i, from, count, bucket.size});
        bucket.size += count;
        ++bucket.waiting;
        from += count;
        if (bucket.size == most) close();
      }
    }
    close();
  }
  return buckets;
}

std::uint32_t most_buckets(const std::vector<Tensor>& tensors, std::int64_t bytes) {
  std::int64_t all = 0;
  for (const Tensor& x : tensors) all += x.numel() * element_size(sum_type(x.dtype()));
  return static_cast<std::uint32_t>(all / std::max<std::int64_t>(1, bytes / 8 * 8) + 3);
}

}  // namespace gradus::distributed
