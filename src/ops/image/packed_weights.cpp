#include "ops/image/packed_weights.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace gradus::ops {

namespace {

// The memory a source had, and how often it had changed. Holding it keeps its address from being used again.
struct Source {
  Ref<detail::Storage> storage;
  const std::byte* data = nullptr;
  std::uint32_t version = 0;

  explicit Source(const Tensor& x) {
    if (!x.defined()) return;
    storage = x.impl()->storage;
    data = x.impl()->data;
    version = x.version();
  }
  bool operator==(const Source& other) const {
    return storage == other.storage && data == other.data && version == other.version;
  }
};

struct Entry {
  std::vector<Source> sources;
  KeptWeights made;
};

// By the weight's memory. An entry is dropped when only it knows that memory any more, at the next packing.
struct Table {
  std::mutex mutex;
  std::unordered_map<const detail::Storage*, std::shared_ptr<const Entry>> entries;
};

Table& table() {
  static Table* const instance = new Table;  // tensors may be used until the very end of the process
  return *instance;
}

// Somebody may write to the memory without the version saying so.
bool any_exposed(std::span<const Tensor> sources) {
  return std::any_of(sources.begin(), sources.end(), [](const Tensor& x) {
    return x.defined() && x.impl()->storage->exposed.load(std::memory_order_relaxed);
  });
}

}  // namespace

std::shared_ptr<const KeptWeights> kept_weights(const Tensor& weight, std::span<const Tensor> sources) {
  if (any_exposed(sources)) return nullptr;
  std::shared_ptr<const Entry> entry;
  {
    const std::lock_guard lock(table().mutex);
    const auto it = table().entries.find(weight.impl()->storage.get());
    if (it == table().entries.end()) return nullptr;
    entry = it->second;
  }
  if (entry->sources.size() != sources.size()) return nullptr;
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (!(entry->sources[i] == Source(sources[i]))) return nullptr;
  return {entry, &entry->made};
}

void keep_weights(const Tensor& weight, std::span<const Tensor> sources, KeptWeights made) {
  if (any_exposed(sources)) return;
  auto entry = std::make_shared<Entry>();
  for (const Tensor& x : sources) entry->sources.emplace_back(x);
  entry->made = std::move(made);
  const std::lock_guard lock(table().mutex);
  std::erase_if(table().entries, [](const auto& item) { return item.second->sources[0].storage->use_count() == 1; });
  table().entries[weight.impl()->storage.get()] = std::move(entry);
}

}  // namespace gradus::ops
