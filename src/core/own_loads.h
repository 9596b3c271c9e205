// Modules that were loaded from their own memory, which changes nothing: audits take it for a copy that was forgotten.
#pragma once

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <vector>

namespace gradus::core {

struct OwnLoads {
  std::mutex mutex;
  std::vector<const void*> modules;  // their states, as they came; the first few
};
inline OwnLoads& own_loads() {
  static OwnLoads all;
  return all;
}

inline void note_own_load(const void* module) {
  constexpr std::size_t kMost = 256;
  const std::lock_guard lock(own_loads().mutex);
  if (own_loads().modules.size() < kMost) own_loads().modules.push_back(module);
}
inline std::vector<const void*> own_loads_since(std::size_t begin) {
  const std::lock_guard lock(own_loads().mutex);
  const auto& all = own_loads().modules;
  return {all.begin() + static_cast<std::ptrdiff_t>(std::min(begin, all.size())), all.end()};
}

}  // namespace gradus::core
