#include "distributed/sums/tree.h"

#include <algorithm>
#include <bit>

namespace gradus::distributed {

namespace {

void collect(const Span& node, const Span& part, std::vector<Span>& nodes) {
  if (node.begin >= part.end || node.end <= part.begin) return;
  if (node.begin >= part.begin && node.end <= part.end) {
    nodes.push_back(node);
    return;
  }
  const std::int64_t middle = middle_of(node);
  collect({node.begin, middle}, part, nodes);
  collect({middle, node.end}, part, nodes);
}

}  // namespace

std::int64_t middle_of(const Span& node) {
  return node.begin + static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(node.size() - 1)));
}

std::vector<Span> nodes_of(std::int64_t leaves, const Span& part) {
  std::vector<Span> nodes;
  if (part.size() > 0) collect({0, leaves}, part, nodes);
  return nodes;
}

Span part_of(std::int64_t leaves, int rank, int size) { return {leaves * rank / size, leaves * (rank + 1) / size}; }

}  // namespace gradus::distributed
