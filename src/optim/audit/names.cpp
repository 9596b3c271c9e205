#include "optim/audit/names.h"

#include <algorithm>
#include <mutex>

namespace gradus::optim {

namespace {

struct Names {
  std::mutex mutex;
  std::vector<std::pair<const Optimizer*, std::string>> list;
};
Names& names() {
  static Names all;
  return all;
}

}  // namespace

OptimizerNames::OptimizerNames(std::vector<std::pair<const Optimizer*, std::string>> given) : names_(std::move(given)) {
  const std::lock_guard lock(names().mutex);
  names().list.insert(names().list.end(), names_.begin(), names_.end());
}

OptimizerNames::~OptimizerNames() {
  const std::lock_guard lock(names().mutex);
  for (const auto& one : names_) {
    auto& list = names().list;
    if (const auto found = std::find(list.begin(), list.end(), one); found != list.end()) list.erase(found);
  }
}

std::string name_of(const Optimizer& optimizer) {
  const std::lock_guard lock(names().mutex);
  for (const auto& [known, name] : names().list)
    if (known == &optimizer) return name;
  return optimizer.name();
}

}  // namespace gradus::optim
