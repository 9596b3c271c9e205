#include "distributed/sums/reduction.h"

#include <algorithm>
#include <cstring>

namespace gradus::distributed {

namespace {
constexpr std::uint32_t kExchange = 2, kGather = 3;  // stages
}

TreeParts::TreeParts(std::int64_t leaf_count, int size) : leaves(leaf_count) {
  for (int rank = 0; rank < size; ++rank) nodes.push_back(nodes_of(leaves, part_of(leaves, rank, size)));
}

Reduction::Reduction(Group* group, std::shared_ptr<const TreeParts> parts, Dtype dtype, std::int64_t n, ReduceOp op,
                     double factor, std::uint32_t tag, std::vector<std::int64_t> shares)
    : group_(group),
      parts_(std::move(parts)),
      dtype_(dtype),
      n_(n),
      shares_(std::move(shares)),
      op_(op),
      factor_(factor),
      tag_(tag),
      rank_(group ? group->rank() : 0),
      size_(group ? group->size() : 1),
      element_(element_size(dtype)),
      own_nodes_(parts_->nodes[static_cast<std::size_t>(rank_)].size()),
      sent_(make_bytes(own_nodes_ * static_cast<std::size_t>(n * element_))) {}

// What goes to one rank lies together: its share of each node.
std::byte* Reduction::sent_to(int rank, std::size_t node) const {
  const std::int64_t before = static_cast<std::int64_t>(own_nodes_) * share_begin(rank);
  return sent_.get() + (before + static_cast<std::int64_t>(node) * share_size(rank)) * element_;
}

void Reduction::put(std::size_t node, std::int64_t offset, const std::byte* from, std::int64_t count) {
  for (int rank = 0; rank < size_ && count > 0; ++rank) {
    const std::int64_t begin = share_begin(rank), end = share_begin(rank + 1);
    if (offset >= end) continue;
    const std::int64_t here = std::min(count, end - offset);
    const auto bytes = static_cast<std::size_t>(here * element_);
    std::byte* const to = sent_to(rank, node) + (offset - begin) * element_;
    if (from != nullptr) {
      std::memcpy(to, from, bytes);
      from += bytes;
    } else {
      std::memset(to, 0, bytes);
    }
    offset += here;
    count -= here;
  }
}

void Reduction::start() {
  stage_ = Stage::exchanging;
  received_.resize(static_cast<std::size_t>(size_));
  if (size_ == 1) return;
  messages_ = std::make_unique<Messages>(*group_);
  for (int step = 1; step < size_; ++step) {
    const int from = (rank_ + size_ - step) % size_, to = (rank_ + step) % size_;
    const auto bytes =
        parts_->nodes[static_cast<std::size_t>(from)].size() * static_cast<std::size_t>(share_size(rank_) * element_);
    Bytes& memory = received_[static_cast<std::size_t>(from)];
    memory = make_bytes(bytes);
    messages_->receive(from, tag_ + kExchange, memory, memory.get(), bytes);
    messages_->send(to, tag_ + kExchange, sent_, sent_to(to, 0),
                    own_nodes_ * static_cast<std::size_t>(share_size(to) * element_));
  }
}

std::byte* Reduction::own_sum(const Span& node) const {
  for (int rank = 0; rank < size_; ++rank) {
    const auto& theirs = parts_->nodes[static_cast<std::size_t>(rank)];
    const auto it = std::find(theirs.begin(), theirs.end(), node);
    if (it == theirs.end()) continue;
    const auto i = static_cast<std::size_t>(it - theirs.begin());
    if (rank == rank_) return sent_to(rank_, i);
    return received_[static_cast<std::size_t>(rank)].get() +
           static_cast<std::int64_t>(i) * share_size(rank_) * element_;
  }
  const std::int64_t middle = middle_of(node);
  std::byte* const left = own_sum({node.begin, middle});
  combine(op_, dtype_, left, own_sum({middle, node.end}), share_size(rank_));
  return left;
}

void Reduction::add_up() {
  std::byte* const sum = own_sum({0, parts_->leaves});
  scale(dtype_, sum, share_size(rank_), factor_);
  result_ = make_bytes(static_cast<std::size_t>((gathers() ? n_ : share_size(rank_)) * element_));
  std::memcpy(at(share_begin(rank_)), sum, static_cast<std::size_t>(share_size(rank_) * element_));
}

bool Reduction::poll() {
  if (stage_ == Stage::exchanging && (size_ == 1 || messages_->poll())) {
    add_up();
    received_.clear();
    stage_ = Stage::gathering;
    if (size_ > 1 && gathers()) {
      const auto bytes = [&](int rank) { return static_cast<std::size_t>(share_size(rank) * element_); };
      const auto place = [&](int rank) { return result_.get() + share_begin(rank) * element_; };
      for (int step = 1; step < size_; ++step) {
        const int from = (rank_ + size_ - step) % size_, to = (rank_ + step) % size_;
        messages_->receive(from, tag_ + kGather, result_, place(from), bytes(from));
        messages_->send(to, tag_ + kGather, result_, place(rank_), bytes(rank_));
      }
    }
  }
  if (stage_ == Stage::gathering && (size_ == 1 || !gathers() || messages_->poll())) {
    sent_.reset();
    stage_ = Stage::done;
  }
  return stage_ == Stage::done;
}

}  // namespace gradus::distributed
