#include "distributed/sums/rows.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "distributed/connection/round.h"

namespace gradus::distributed {

Rows gather_rows(const std::string& what, const Rows& own) {
  Rows rows;
  if (group() == nullptr) {
    rows = own;
  } else {
    std::string bytes;
    for (const auto& row : own) {
      const std::uint64_t size = row.size();
      bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
      bytes.append(reinterpret_cast<const char*>(row.data()), size * sizeof(double));
    }
    for (const std::string& theirs : gather_texts(*group(), what, bytes)) {
      for (std::size_t at = 0; at < theirs.size();) {
        std::uint64_t size = 0;
        std::memcpy(&size, theirs.data() + at, sizeof size);
        rows.emplace_back(size);
        std::memcpy(rows.back().data(), theirs.data() + at + sizeof size, size * sizeof(double));
        at += sizeof size + size * sizeof(double);
      }
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.front() < b.front(); });
  return rows;
}

}  // namespace gradus::distributed
