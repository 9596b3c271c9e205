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

struct Past {
  std::weak_ptr<const void> optimizer;
  const Optimizer* address;
  std::string name;
  std::int64_t count;
};
struct Schedules {
  std::recursive_mutex mutex;  // the end of one may come while others are looked through
  std::vector<std::weak_ptr<ScheduleTicket>> list;
  std::vector<std::shared_ptr<ScheduleTicket>> plateaus;
  std::vector<Past> past;
};
// Never destroyed: schedules may be static.
Schedules& schedules() {
  static auto* all = new Schedules;
  return *all;
}

void end_schedule(const ScheduleTicket* ticket) {
  const std::unique_ptr<const ScheduleTicket> own(ticket);
  if (ticket->steps < 2 || ticket->address == nullptr || ticket->optimizer.expired()) return;
  const std::lock_guard lock(schedules().mutex);
  auto& past = schedules().past;
  std::erase_if(past, [](const Past& one) { return one.optimizer.expired(); });
  for (Past& one : past) {
    if (one.address != ticket->address || one.name != ticket->name) continue;
    ++one.count;
    return;
  }
  past.push_back({ticket->optimizer, ticket->address, ticket->name, 1});
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
  const std::shared_ptr<ScheduleTicket> ticket(new ScheduleTicket, end_schedule);
  ticket->optimizer = optimizer.alive();
  ticket->address = &optimizer;
  ticket->name = std::move(name);
  ticket->scale = std::move(scale);
  const std::lock_guard lock(schedules().mutex);
  std::erase_if(schedules().list, [](const auto& entry) { return entry.expired(); });
  schedules().list.push_back(ticket);
  return ticket;
}

std::shared_ptr<ScheduleTicket> plateau_of(const Optimizer& optimizer) {
  {
    const std::lock_guard lock(schedules().mutex);
    auto& plateaus = schedules().plateaus;
    std::erase_if(plateaus, [](const auto& ticket) { return ticket->optimizer.expired(); });
    for (const auto& ticket : plateaus)
      if (ticket->address == &optimizer) return ticket;
  }
  auto ticket = register_schedule(optimizer, "ReduceLROnPlateau", {});
  const std::lock_guard lock(schedules().mutex);
  schedules().plateaus.push_back(ticket);
  return ticket;
}

std::map<std::string, std::int64_t> past_schedules_of(const Optimizer& optimizer) {
  std::map<std::string, std::int64_t> counts;
  const std::lock_guard lock(schedules().mutex);
  for (const Past& one : schedules().past)
    if (one.address == &optimizer && !one.optimizer.expired()) counts[one.name] += one.count;
  return counts;
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
