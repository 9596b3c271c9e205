#include "autograd/gradient_sink.h"

#include <mutex>

namespace gradus::detail {

constinit std::atomic<int> gradient_sinks{0};

namespace {
std::mutex mutex;
std::vector<GradientSink*>& all() {
  static std::vector<GradientSink*> sinks;
  return sinks;
}
}  // namespace

void add_gradient_sink(GradientSink& sink) {
  const std::lock_guard lock(mutex);
  all().push_back(&sink);
  gradient_sinks.fetch_add(1);
}

void remove_gradient_sink(GradientSink& sink) {
  const std::lock_guard lock(mutex);
  if (std::erase(all(), &sink) != 0) gradient_sinks.fetch_sub(1);
}

std::vector<GradientSink*> current_gradient_sinks() {
  const std::lock_guard lock(mutex);
  return all();
}

}  // namespace gradus::detail
