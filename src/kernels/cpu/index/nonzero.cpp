#include "kernels/cpu/index/nonzero.h"

#include <cstddef>

namespace gradus::cpu {

std::vector<std::int64_t> nonzero(const std::uint8_t* mask, std::int64_t n) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < n; ++i) count += mask[i];
  // One more than needed, so that every position can be written and only a hit moves on: no branch to mispredict.
  std::vector<std::int64_t> positions(static_cast<std::size_t>(count) + 1);
  std::int64_t* next = positions.data();
  for (std::int64_t i = 0; i < n; ++i) {
    *next = i;
    next += mask[i];
  }
  positions.pop_back();
  return positions;
}

}  // namespace gradus::cpu
