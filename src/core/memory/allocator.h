#pragma once

#include <cstddef>

namespace gradus::core {

/// Uninitialised memory, aligned to 64 bytes; null for 0 bytes. Throws OutOfMemory. From any thread.
void* allocate(std::size_t bytes);

/// Takes back what allocate(bytes) gave, with the same `bytes`; from any thread, also while the process ends.
void deallocate(void* p, std::size_t bytes) noexcept;

}  // namespace gradus::core
