// Who wants to know what optimizers and schedules do: audits. Costs one look at a counter while nobody does.
#pragma once

#include <gradus/optim/optimizer.h>

#include <atomic>

namespace gradus::optim {

class Watcher {
 public:
  Watcher() = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  virtual ~Watcher() = default;
  virtual void before_step(Optimizer& optimizer) = 0;
  virtual void after_step(Optimizer& optimizer) = 0;
  virtual void after_schedule(const void* schedule, const std::string& name, Optimizer& optimizer) = 0;
  virtual void gone(const Optimizer& optimizer) = 0;  // only its address is left
};

void add_watcher(Watcher& watcher);
void remove_watcher(Watcher& watcher);

extern std::atomic<int> watcher_count;
// Calls fn(watcher) for each; whoever is called may not add or remove one.
void tell_watchers_slow(const std::function<void(Watcher&)>& fn);
template <class Fn>
void tell_watchers(Fn&& fn) {
  if (watcher_count.load(std::memory_order_relaxed) != 0) [[unlikely]]
    tell_watchers_slow(fn);
}

}  // namespace gradus::optim
