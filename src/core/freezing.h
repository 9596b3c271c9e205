// Whether anything was frozen in this process: messages about missing gradients then name freezing, too.
#pragma once

#include <atomic>

namespace gradus::detail {

inline std::atomic<bool> freezing_used{false};

}  // namespace gradus::detail
