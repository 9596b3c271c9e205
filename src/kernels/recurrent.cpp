#include "kernels/recurrent.h"

#include <algorithm>

namespace gradus::kernel {

using std::int64_t;

Recurrence::Recurrence(RecurrentKind k, std::span<const int64_t> batch_sizes, bool reverse, int64_t units, int64_t outs)
    : kind(k), batch(batch_sizes.empty() ? 0 : batch_sizes.front()), hidden(units), out(outs) {
  for (const int64_t size : batch_sizes) {
    steps.push_back({.at = rows, .rows = size});
    rows += size;
  }
  if (reverse) std::reverse(steps.begin(), steps.end());
  for (std::size_t i = 1; i < steps.size(); ++i) {
    steps[i].before = steps[i - 1].at;
    steps[i].carried = std::min(steps[i - 1].rows, steps[i].rows);
  }
}

}  // namespace gradus::kernel
