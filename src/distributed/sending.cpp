#include "distributed/sending.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/tensor_access.h"

namespace gradus::distributed {

namespace {

constexpr std::size_t kPieceBytes = 16 << 20;  // under way at once
constexpr std::uint32_t kData = 1;             // stage of a message's tag

// Goes through the bytes of tensors, one after the other.
class Walk {
 public:
  explicit Walk(const std::vector<Tensor>& tensors) : tensors_(tensors) {
    for (const Tensor& x : tensors) left_ += bytes_of(x);
  }
  Walk(const std::vector<Tensor>& tensors, std::size_t bytes) : tensors_(tensors), left_(bytes) {}
  std::size_t left() const { return left_; }
  void take(std::byte* to, std::size_t count) {
    each(count, [&](std::byte* place, std::size_t n) {
      std::memcpy(to, place, n);
      to += n;
    });
  }
  void put(const std::byte* from, std::size_t count) {
    each(count, [&](std::byte* place, std::size_t n) {
      std::memcpy(place, from, n);
      from += n;
    });
  }
  void skip(std::size_t count) { left_ -= count; }  // of tensors that are not here

 private:
  template <class F>
  void each(std::size_t count, F&& f) {
    left_ -= count;
    while (count > 0) {
      const Tensor& x = tensors_[tensor_];
      const std::size_t here = std::min(count, bytes_of(x) - at_);
      if (here > 0) f(x.impl()->data + at_, here);
      count -= here;
      at_ += here;
      if (at_ == bytes_of(x)) {
        ++tensor_;
        at_ = 0;
      }
    }
  }
  const std::vector<Tensor>& tensors_;
  std::size_t left_ = 0, tensor_ = 0, at_ = 0;
};

// The next `n` bytes of a walk, on their way.
struct Piece {
  int from;
  std::size_t n;
  Bytes memory;
};

Piece begin_piece(Group& group, Messages& messages, int from, std::optional<int> to, Walk& walk, std::size_t most) {
  Piece piece{from, std::min(most, walk.left()), {}};
  const std::uint32_t tag = group.take_tags() + kData;
  if (group.rank() == from) {
    piece.memory = make_bytes(piece.n);
    walk.take(piece.memory.get(), piece.n);
    for (int peer = 0; peer < group.size(); ++peer)
      if (peer != from && (!to || *to == peer)) messages.send(peer, tag, piece.memory, piece.memory.get(), piece.n);
  } else if (!to || *to == group.rank()) {
    piece.memory = make_bytes(piece.n);
    messages.receive(from, tag, piece.memory, piece.memory.get(), piece.n);
  } else {
    walk.skip(piece.n);
  }
  return piece;
}

void end_piece(const Group& group, const Piece& piece, Walk& walk) {
  if (piece.memory && group.rank() != piece.from) walk.put(piece.memory.get(), piece.n);
}

void wait(Group& group, Messages& messages, const std::string& what) {
  group.wait([&] { return messages.poll(); }, [&] { return messages.missing(); }, what);
}

}  // namespace

std::size_t bytes_of(const Tensor& x) { return static_cast<std::size_t>(x.numel() * x.element_size()); }

void send_tensors(Group& group, const std::string& what, int from, int to, const std::vector<Tensor>& tensors,
                  std::size_t bytes) {
  Walk walk(tensors, bytes);
  while (walk.left() > 0) {
    Messages messages(group);
    const Piece piece = begin_piece(group, messages, from, to, walk, kPieceBytes);
    wait(group, messages, what);
    end_piece(group, piece, walk);
  }
}

void exchange_tensors(Group& group, const std::string& what, const std::vector<std::vector<Tensor>>& by_rank) {
  std::vector<Walk> walks(by_rank.begin(), by_rank.end());
  const std::size_t most = std::max<std::size_t>(1 << 20, kPieceBytes / by_rank.size());
  while (std::any_of(walks.begin(), walks.end(), [](const Walk& walk) { return walk.left() > 0; })) {
    Messages messages(group);
    std::vector<Piece> pieces;
    for (std::size_t rank = 0; rank < walks.size(); ++rank)
      pieces.push_back(begin_piece(group, messages, static_cast<int>(rank), {}, walks[rank], most));
    wait(group, messages, what);
    for (const Piece& piece : pieces) end_piece(group, piece, walks[static_cast<std::size_t>(piece.from)]);
  }
}

}  // namespace gradus::distributed
