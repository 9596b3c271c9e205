#include "optim/engine/watch.h"

#include <algorithm>
#include <mutex>

namespace gradus::optim {

std::atomic<int> watcher_count{0};

namespace {
struct Watchers {
  std::mutex mutex;
  std::vector<Watcher*> list;
};
Watchers& watchers() {
  static Watchers all;
  return all;
}

struct Schedules {
  std::mutex mutex;
  std::vector<std::weak_ptr<ScheduleTicket>> list;
};
Schedules& schedules() {
  static Schedules all;
  return all;
}
}  // namespace

void add_watcher(Watcher& watcher) {
  const std::lock_guard lock(watchers().mutex);
  watchers().list.push_back(&watcher);
  ++watcher_count;
}

void remove_watcher(Watcher& watcher) {
  const std::lock_guard lock(watchers().mutex);
  watcher_count -= static_cast<int>(std::erase(watchers().list, &watcher));
}

void tell_watchers_slow(const std::function<void(Watcher&)>& fn) {
  const std::lock_guard lock(watchers().mutex);
  for (Watcher* watcher : watchers().list) fn(*watcher);
}

std::shared_ptr<ScheduleTicket> register_schedule(const Optimizer& optimizer, std::string name,
                                                  std::function<double(double)> scale) {
  auto ticket = std::make_shared<ScheduleTicket>();
  ticket->optimizer = optimizer.alive();
  ticket->address = &optimizer;
  ticket->name = std::move(name);
  ticket->scale = std::move(scale);
  const std::lock_guard lock(schedules().mutex);
  std::erase_if(schedules().list, [](const auto& entry) { return entry.expired(); });
  schedules().list.push_back(ticket);
  return ticket;
}

std::vector<std::shared_ptr<const ScheduleTicket>> schedules_of(const Optimizer& optimizer) {
  std::vector<std::shared_ptr<const ScheduleTicket>> own;
  const std::lock_guard lock(schedules().mutex);
  for (const auto& entry : schedules().list) {
    auto ticket = entry.lock();
    if (ticket && ticket->address == &optimizer && !ticket->optimizer.expired()) own.push_back(std::move(ticket));
  }
  return own;
}

}  // namespace gradus::optim
