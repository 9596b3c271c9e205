#include "autograd/gradient_sink.h"

#include <algorithm>
#include <mutex>

namespace gradus::detail {

constinit std::atomic<int> gradient_sinks{0};

namespace {
std::mutex mutex;
std::vector<std::shared_ptr<SinkEntry>>& all() {
  static std::vector<std::shared_ptr<SinkEntry>> entries;
  return entries;
}
}  // namespace

const SinkEntry::Call*& SinkEntry::innermost() {
  constinit thread_local const Call* call = nullptr;
  return call;
}

SinkEntry::Call::Call(SinkEntry& of) : entry(of), outer(innermost()) {
  entry.calls_.fetch_add(1);
  innermost() = this;
}

SinkEntry::Call::~Call() {
  innermost() = outer;
  entry.calls_.fetch_sub(1);
  entry.calls_.notify_all();
}

void SinkEntry::wait_for_others() {
  int own = 0;
  for (const Call* call = innermost(); call != nullptr; call = call->outer) own += &call->entry == this;
  for (int calls = calls_.load(); calls > own; calls = calls_.load()) calls_.wait(calls);
}

void add_gradient_sink(GradientSink& sink) {
  const std::lock_guard lock(mutex);
  if (sink.entry == nullptr) sink.entry = std::make_shared<SinkEntry>();
  if (std::find(all().begin(), all().end(), sink.entry) != all().end()) return;
  sink.entry->set(&sink);
  all().push_back(sink.entry);
  gradient_sinks.fetch_add(1);
}

void remove_gradient_sink(GradientSink& sink) {
  const std::lock_guard lock(mutex);
  if (sink.entry == nullptr || std::erase(all(), sink.entry) == 0) return;
  gradient_sinks.fetch_sub(1);
  sink.entry->set(nullptr);
}

void end_gradient_sink(GradientSink& sink) {
  remove_gradient_sink(sink);
  if (sink.entry) sink.entry->wait_for_others();
}

std::vector<std::shared_ptr<SinkEntry>> current_gradient_sinks() {
  const std::lock_guard lock(mutex);
  return all();
}

}  // namespace gradus::detail
