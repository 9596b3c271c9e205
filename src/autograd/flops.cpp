#include <gradus/flops.h>

namespace gradus {

FlopCounter::Count FlopCounter::sum() const {
  Count sum;
  for (const auto& [name, count] : counts_) {
    sum.calls += count.calls;
    sum.flops += count.flops;
    sum.multiply_adds += count.multiply_adds;
    sum.bytes += count.bytes;
  }
  return sum;
}

void FlopCounter::end_operation(const detail::Operation& operation) {
  if (operation.depth > 0 || operation.result == nullptr) return;
  Count& count = counts_[operation.name];
  ++count.calls;
  count.flops += operation.cost.flops;
  count.multiply_adds += operation.cost.multiply_adds;
  count.bytes += operation.bytes;
}

}  // namespace gradus
