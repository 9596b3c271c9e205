// The sum of what all ranks have. Each rank owns a share of the elements: it gets that share of all others, adds it up
// in the fixed tree, and sends the sum to all, or keeps it. So every element crosses the wire twice, or once, whatever
// the number of ranks, and the bits depend on neither ranks nor backend.
#pragma once

#include <memory>
#include <vector>

#include "distributed/group.h"
#include "distributed/sums/arithmetic.h"
#include "distributed/sums/tree.h"

namespace gradus::distributed {

// Who brings which nodes of the tree.
struct TreeParts {
  TreeParts(std::int64_t leaves, int size);
  std::int64_t leaves;
  std::vector<std::vector<Span>> nodes;  // by rank
};

class Reduction {
 public:
  // Of n elements; with a row of tags of its own. `group` is null for a process that is alone. With `shares`, rank r
  // alone has the sum of elements shares[r] ... shares[r + 1] - 1; without, all ranks have the sum of all.
  Reduction(Group* group, std::shared_ptr<const TreeParts> parts, Dtype dtype, std::int64_t n, ReduceOp op,
            double factor, std::uint32_t tag, std::vector<std::int64_t> shares = {});

  // Before start(): `count` elements of this rank's node `node`, from `offset` on.
  void put(std::size_t node, std::int64_t offset, const std::byte* from, std::int64_t count);
  void start();
  bool poll();  // goes on where it can; whether the sum is there
  // The sum's element, which this rank has.
  std::byte* at(std::int64_t offset) const {
    return result_.get() + (offset - (gathers() ? 0 : share_begin(rank_))) * element_;
  }
  std::vector<int> missing() const { return messages_ ? messages_->missing() : std::vector<int>(); }

 private:
  bool gathers() const { return shares_.empty(); }
  std::int64_t share_begin(int rank) const {
    return gathers() ? n_ * rank / size_ : shares_[static_cast<std::size_t>(rank)];
  }
  std::int64_t share_size(int rank) const { return share_begin(rank + 1) - share_begin(rank); }
  std::byte* sent_to(int rank, std::size_t node) const;
  std::byte* own_sum(const Span& node) const;
  void add_up();

  Group* group_;
  std::shared_ptr<const TreeParts> parts_;
  Dtype dtype_;
  std::int64_t n_;
  std::vector<std::int64_t> shares_;
  ReduceOp op_;
  double factor_;
  std::uint32_t tag_;
  int rank_, size_;
  std::int64_t element_;
  std::size_t own_nodes_;
  enum class Stage { filling, exchanging, gathering, done } stage_ = Stage::filling;
  Bytes sent_, result_;
  std::vector<Bytes> received_;  // by rank: its nodes of this rank's share
  std::unique_ptr<Messages> messages_;
};

}  // namespace gradus::distributed
