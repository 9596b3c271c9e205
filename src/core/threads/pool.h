// The threads that help with a parallel_for.
#pragma once

#include <cstdint>

namespace gradus::core::detail {

inline constexpr std::int64_t kMostPieces = 512;

/// Calls piece(context, i) for each i below `count`, which is at most kMostPieces, in this thread and in up to
/// `threads` - 1 others, and returns when all calls have returned. Whoever is free takes the next piece: one that
/// another process keeps from a core takes none. `piece` must not throw.
void run_pieces(std::int64_t count, int threads, void (*piece)(void* context, std::int64_t i), void* context);

}  // namespace gradus::core::detail
