#include "autograd/gradient_owner.h"

#include <mutex>
#include <unordered_map>

namespace gradus::detail {

constinit std::atomic<int> owned_gradients{0};
constinit std::atomic<NumbersOfOwners> numbers_of_owners{nullptr};

namespace {
struct Owner {
  int rank;
  const void* by;
};
std::mutex mutex;
std::unordered_map<const TensorImpl*, Owner>& all() {
  // Never destroyed: optimizers with a static lifetime forget their parameters at the end of the program.
  static auto* const owners = new std::unordered_map<const TensorImpl*, Owner>();
  return *owners;
}
}  // namespace

void set_gradient_owner(const TensorImpl* parameter, int rank, const void* by) {
  const std::lock_guard lock(mutex);
  all()[parameter] = {rank, by};
  owned_gradients = static_cast<int>(all().size());
}

void forget_gradient_owner(const TensorImpl* parameter, const void* by) {
  const std::lock_guard lock(mutex);
  const auto found = all().find(parameter);
  if (found != all().end() && found->second.by == by) all().erase(found);
  owned_gradients = static_cast<int>(all().size());
}

std::optional<int> gradient_owner(const TensorImpl* parameter) {
  if (owned_gradients.load(std::memory_order_relaxed) == 0) return {};
  const std::lock_guard lock(mutex);
  const auto found = all().find(parameter);
  if (found == all().end()) return {};
  return found->second.rank;
}

}  // namespace gradus::detail
