#include "distributed/sums/buckets.h"

#include <algorithm>

namespace gradus::distributed {

Dtype sum_type(Dtype dtype) { return dtype == kFloat64 ? kFloat64 : kFloat32; }

namespace {

// What goes to one rank must lie together.
void share_out(Bucket& bucket, const std::vector<int>& owners, int ranks) {
  std::stable_sort(bucket.pieces.begin(), bucket.pieces.end(),
                   [&](const Bucket::Piece& a, const Bucket::Piece& b) { return owners[a.tensor] < owners[b.tensor]; });
  std::int64_t at = 0;
  for (Bucket::Piece& piece : bucket.pieces) {
    piece.at = at;
    at += piece.count;
  }
  bucket.shares.assign(static_cast<std::size_t>(ranks) + 1, 0);
  for (const Bucket::Piece& piece : bucket.pieces) {
    for (auto rank = static_cast<std::size_t>(owners[piece.tensor]) + 1; rank < bucket.shares.size(); ++rank)
      bucket.shares[rank] += piece.count;
  }
}

}  // namespace

std::vector<Bucket> buckets_of(const std::vector<Tensor>& tensors, const std::vector<std::size_t>& order,
                               std::int64_t bytes, const std::vector<int>& owners, int ranks) {
  std::vector<Bucket> buckets;
  for (const auto& [dtype, owned] :
       {std::pair(kFloat32, true), {kFloat64, true}, {kFloat32, false}, {kFloat64, false}}) {
    const std::int64_t most = std::max<std::int64_t>(1, bytes / element_size(dtype));
    Bucket bucket{dtype};
    const auto close = [&, dtype = dtype, owned = owned] {
      if (owned && bucket.size > 0) share_out(bucket, owners, ranks);
      if (bucket.size > 0) buckets.push_back(std::move(bucket));
      bucket = Bucket{dtype};
    };
    for (const std::size_t i : order) {
      if (sum_type(tensors[i].dtype()) != dtype || (owners[i] >= 0) != owned) continue;
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
  return static_cast<std::uint32_t>(all / std::max<std::int64_t>(1, bytes / 8 * 8) + 5);
}

}  // namespace gradus::distributed
