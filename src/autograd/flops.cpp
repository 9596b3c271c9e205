#include <gradus/flops.h>

namespace gradus {

std::int64_t FlopCounter::total() const {
  std::int64_t sum = 0;
  for (const auto& [name, count] : counts_) sum += count.flops;
  return sum;
}

void FlopCounter::operation(const char* name, std::int64_t flops, const Tensor& result) {
  Count& count = counts_[name];
  ++count.calls;
  count.flops += flops;
  if (outer_ != nullptr) outer_->operation(name, flops, result);
}

}  // namespace gradus
