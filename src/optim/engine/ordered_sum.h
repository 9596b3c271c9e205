#pragma once

#include <array>
#include <numeric>

#include "core/threads/parallel.h"

namespace gradus::optim {

// The sum of fn(begin, end) over ranges that make up [0, n), in an order that does not depend on the number of threads.
template <class Fn>
double ordered_sum(std::int64_t n, bool threads, Fn&& fn) {
  std::array<double, 256> sums{};
  const auto blocks = std::min<std::int64_t>(n, sums.size());
  core::parallel_for(blocks, threads ? 1 : blocks, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      sums[static_cast<std::size_t>(i)] = fn(n * i / blocks, n * (i + 1) / blocks);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace gradus::optim
