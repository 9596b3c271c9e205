#include "kernels/cpu/index/triangle.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/threads/parallel.h"

namespace gradus::cpu {

void triangle(const void* x, void* y, std::int64_t count, std::int64_t rows, std::int64_t columns, std::int64_t width,
              std::int64_t diagonal, bool lower) {
  if (count * rows * columns == 0) return;
  // Far diagonals are all alike; cut them, so that adding a row number cannot overflow.
  const std::int64_t k = std::clamp(diagonal, -rows, columns);
  const auto bytes = [width](std::int64_t n) { return static_cast<std::size_t>(n * width); };
  core::parallel_for(count * rows, std::max<std::int64_t>(1, 16384 / columns), [&](auto begin, auto end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const auto* from = static_cast<const std::byte*>(x) + row * columns * width;
      auto* to = static_cast<std::byte*>(y) + row * columns * width;
      // The first column past the lower triangle, or the first of the upper one.
      const std::int64_t edge = std::clamp<std::int64_t>(row % rows + k + (lower ? 1 : 0), 0, columns);
      const std::int64_t keep_begin = lower ? 0 : edge, keep_end = lower ? edge : columns;
      std::memset(to, 0, bytes(keep_begin));
      std::memcpy(to + keep_begin * width, from + keep_begin * width, bytes(keep_end - keep_begin));
      std::memset(to + keep_end * width, 0, bytes(columns - keep_end));
    }
  });
}

}  // namespace gradus::cpu
