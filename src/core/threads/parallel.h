#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "core/threads/openmp.h"
#include "gradus/core/parallel.h"

namespace gradus::core {

namespace detail {
using RangeFunction = void (*)(void* body, std::int64_t begin, std::int64_t end);
void run_ranges(std::int64_t n, std::int64_t grain, std::int64_t align, RangeFunction function, void* body);
}  // namespace detail

/// Calls body(begin, end) for contiguous ranges that together are [0, n): one or a few per thread, each of at least
/// about `grain`, with bounds at multiples of `align`. The threads that are free take them one after the other. Up to
/// `grain`, and within another parallel_for, it is one call in this thread. Returns when all are done; then one
/// exception of a body, if any, goes to the caller.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& body, std::int64_t align = 1) {
  if (n <= grain) {
    if (n > 0) body(std::int64_t{0}, n);
    return;
  }
  using Body = std::remove_reference_t<F>;
  const auto call = [](void* b, std::int64_t begin, std::int64_t end) { (*static_cast<Body*>(b))(begin, end); };
  detail::run_ranges(n, grain, align, call, const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// How many pieces to cut `work` into where one should have at least about `each` of it: a power of two, so that the
/// usual numbers of threads get equal shares. From 1 to `most`, a positive number.
inline std::int64_t piece_count(std::int64_t work, std::int64_t each, std::int64_t most) {
  const std::int64_t wanted = std::clamp<std::int64_t>(work / each, 1, most);
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(wanted)));
}

/// While one of these lives, this thread spreads nothing over others: parallel_for is one call in it. For threads that
/// work beside the one that trains.
class SerialScope {
 public:
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool before_;
  OneOpenMPThread libraries_;
};

}  // namespace gradus::core
