// oneDNN's primitives for convolutions, made once per kind, types and sizes and then kept.
#pragma once

#include <cstddef>
#include <dnnl.hpp>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "kernels/convolution.h"
#include "kernels/scratch.h"

namespace gradus::onednn {

dnnl::engine& engine();
dnnl::stream& stream();  // of this thread

// Loops of the reference kind, or for other processors' sake, are slower than ours. By the name that oneDNN gives them.
bool is_good(const char* name);

inline dnnl::memory at(const dnnl::memory::desc& md, const void* data) {
  return {md, engine(), const_cast<void*>(data)};
}

// Between our memory and a primitive's; nothing where they are laid out alike.
struct Reorder {
  dnnl::memory::desc plain, inner;

  Reorder() = default;
  Reorder(const dnnl::memory::desc& ours, const dnnl::memory::desc& theirs);
  bool is_none() const { return plain == inner; }
  std::int64_t bytes() const { return static_cast<std::int64_t>(inner.get_size()); }
  void in(const void* ours, void* theirs) const { run(to_, at(plain, ours), at(inner, theirs)); }
  void out(const void* theirs, void* ours) const { run(from_, at(inner, theirs), at(plain, ours)); }

 private:
  void run(const dnnl::reorder& primitive, dnnl::memory from, dnnl::memory to) const;

  dnnl::reorder to_, from_;
  std::int64_t scratch_ = 0;  // bytes that either needs
};

enum class Kind { forward, backward_data, backward_weight };

struct PlanKey {
  Kind kind;
  Dtype dtype, w_dtype;  // of x and y; of our w
  bool bias, add, relu;  // of a forward one
  kernel::Convolution c;
  friend bool operator==(const PlanKey&, const PlanKey&) = default;
};

// A convolution of one piece of a batch: the primitive, and what surrounds it.
struct Plan {
  dnnl::primitive primitive;
  Reorder x, w, y;
  dnnl::memory::desc bias, scratchpad;
};

struct PlanHash {
  std::size_t operator()(const PlanKey& key) const;
};

// What was made for each key. When it grows too large, all is forgotten; what is in use stays alive.
template <class Key, class T>
class Kept {
 public:
  template <class F>
  std::shared_ptr<const T> get(const Key& key, F&& make) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto it = all_.find(key); it != all_.end()) return it->second;
    }
    std::shared_ptr<const T> made = make();
    const std::lock_guard lock(mutex_);
    if (all_.size() >= kMost) all_.clear();
    // Another thread may have been first; what it made is in use.
    return all_.try_emplace(key, std::move(made)).first->second;
  }

 private:
  static constexpr std::size_t kMost = 4096;
  std::mutex mutex_;
  std::unordered_map<Key, std::shared_ptr<const T>, PlanHash> all_;
};

// Null where oneDNN has no good loop for this.
std::shared_ptr<const Plan> plan_of(const PlanKey& key);

}  // namespace gradus::onednn
