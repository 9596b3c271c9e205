#pragma once
#include <cstdlib>
namespace gradus::core {
inline void* allocate(std::size_t n) { return n ? std::aligned_alloc(64, (n + 63) / 64 * 64) : nullptr; }
inline void deallocate(void* p, std::size_t) noexcept { std::free(p); }
}  // namespace gradus::core
