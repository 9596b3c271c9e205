#include "optim/watch.h"

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

}  // namespace gradus::optim
