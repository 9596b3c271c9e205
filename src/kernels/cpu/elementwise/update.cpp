#include "kernels/cpu/elementwise/update.h"

#include <algorithm>

#include "core/threads/parallel.h"

namespace gradus::cpu {

void update(std::span<const Piece> pieces, const Rules& rules) {
  constexpr std::int64_t kGrain = 16384;
  const std::int64_t block = rules.block;
  const auto blocks = [&](const Piece& piece) { return (piece.n + block - 1) / block; };
  std::int64_t total = 0;
  for (const Piece& piece : pieces) total += blocks(piece);
  core::parallel_for(
      total, std::max<std::int64_t>(1, kGrain / block),
      [&](std::int64_t begin, std::int64_t end) {
        std::int64_t start = 0;  // of the piece, in the row of all blocks
        for (const Piece& piece : pieces) {
          const std::int64_t from = std::max(begin - start, std::int64_t{0});
          const std::int64_t to = std::min(end - start, blocks(piece));
          start += blocks(piece);
          if (from >= to) {
            if (start >= end) return;
            continue;
          }
          const auto at = [&](const void* p, std::int64_t bytes) {
            return const_cast<std::byte*>(static_cast<const std::byte*>(p)) + from * bytes;
          };
          void* state[kMaxState] = {};
          for (std::size_t i = 0; i < rules.state_count; ++i) state[i] = at(piece.state[i], rules.block_bytes[i]);
          rules.cpu(static_cast<const std::byte*>(rules.data) + piece.rule * rules.bytes,
                    std::min(to * block, piece.n) - from * block, at(piece.p, block * rules.element_size),
                    at(piece.g, block * rules.element_size), state);
        }
      },
      block == 1 ? 64 : 1);
}

}  // namespace gradus::cpu
