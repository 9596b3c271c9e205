// Whether all processors shall compute the same bits: <gradus/core/portable.h>.
#pragma once

#include <atomic>

namespace gradus::core {

namespace detail {
extern std::atomic<bool> portable;
}

inline bool is_portable() { return detail::portable.load(std::memory_order_relaxed); }

}  // namespace gradus::core
