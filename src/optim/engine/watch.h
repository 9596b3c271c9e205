// Who wants to know what optimizers, schedules and clipping do: audits. Costs one look at a counter while nobody does.
#pragma once

#include <gradus/optim/optimizer.h>

#include <atomic>
#include <span>

namespace gradus::optim {

class Watcher {
 public:
  Watcher() = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  virtual ~Watcher() = default;
  virtual void before_step(Optimizer& optimizer) = 0;
  virtual void after_step(Optimizer& optimizer) = 0;
  virtual void after_schedule(const void* schedule, const std::string& name, const std::string& option,
                              Optimizer& optimizer) = 0;
  // A plateau's step; `reduced` where it changed a rate.
  virtual void after_metric(const void* plateau, Optimizer& optimizer, double metric, bool falls, bool reduced) = 0;
  virtual void clipped(std::span<const Tensor> parameters) = 0;  // by a function, not by the optimizer's policy
  virtual void gone(const Optimizer& optimizer) = 0;             // only its address is left
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

// A schedule while one of its copies lives; for audits that begin later.
struct ScheduleTicket {
  std::weak_ptr<const void> optimizer;  // Optimizer::alive()
  const Optimizer* address = nullptr;
  std::string name;
  std::atomic<std::int64_t> steps{0};        // calls of step()
  std::atomic<double> epoch{0};              // where it is
  std::atomic<std::int64_t> overwritten{0};  // steps that replaced a value that was written by hand
  std::function<double(double)> scale;       // of the first option that it drives, in its first group; unset: a plateau
};
std::shared_ptr<ScheduleTicket> register_schedule(const Optimizer& optimizer, std::string name,
                                                  std::function<double(double)> scale);
// One for each optimizer, which lives as long as the optimizer: plateaus are plain values.
std::shared_ptr<ScheduleTicket> plateau_of(const Optimizer& optimizer);
std::vector<std::shared_ptr<const ScheduleTicket>> schedules_of(const Optimizer& optimizer);

// Schedules of an optimizer that were stepped and are gone, by name.
std::map<std::string, std::int64_t> past_schedules_of(const Optimizer& optimizer);

}  // namespace gradus::optim
