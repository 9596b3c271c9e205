#include "kernels/cpu/elementwise/update.h"

#include <algorithm>

#include "core/threads/parallel.h"

namespace gradus::cpu {

void update(std::span<const Piece> pieces, const Rules& rules) {
  constexpr std::int64_t kGrain = 16384;
  std::int64_t total = 0;
  for (const Piece& piece : pieces) total += piece.n;
  core::parallel_for(
      total, kGrain,
      [&](std::int64_t begin, std::int64_t end) {
        std::int64_t start = 0;  // of the piece, in the row of all elements
        for (const Piece& piece : pieces) {
          const std::int64_t from = std::max(begin - start, std::int64_t{0});
          const std::int64_t to = std::min(end - start, piece.n);
          start += piece.n;
          if (from >= to) {
            if (start >= end) return;
            continue;
          }
          const auto at = [&](const void* p) {
            return const_cast<std::byte*>(static_cast<const std::byte*>(p)) + from * rules.element_size;
          };
          void* state[kMaxState] = {};
          for (std::size_t i = 0; i < rules.state_count; ++i) state[i] = at(piece.state[i]);
          rules.cpu(static_cast<const std::byte*>(rules.data) + piece.rule * rules.bytes, to - from, at(piece.p),
                    at(piece.g), state);
        }
      },
      64);
}

}  // namespace gradus::cpu
