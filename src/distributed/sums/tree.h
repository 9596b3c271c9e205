// The binary tree in which chunks are added: of n leaves the left branch has the largest power of two below n. Who adds
// what depends on the number of processes; what is added to what does not.
#pragma once

#include <cstdint>
#include <vector>

namespace gradus::distributed {

struct Span {  // of leaves
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
  friend bool operator==(const Span&, const Span&) = default;
};

// Where a node of more than one leaf divides.
std::int64_t middle_of(const Span& node);

// The fewest nodes of the tree over `leaves` that together are `part`, from left to right.
std::vector<Span> nodes_of(std::int64_t leaves, const Span& part);

// Which leaves a rank has: contiguous, and as equal as can be.
Span part_of(std::int64_t leaves, int rank, int size);

}  // namespace gradus::distributed
