#pragma once
#include <cstdint>
namespace gradus::core {
template <class F>
void parallel_for(int64_t n, int64_t, F&& f, int64_t = 1) {
  f(int64_t(0), n);
}
}  // namespace gradus::core
