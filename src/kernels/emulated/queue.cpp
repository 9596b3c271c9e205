#include "kernels/emulated/queue.h"

#include <gradus/core/error.h>

#include <chrono>
#include <utility>

#include "core/threads/parallel.h"

namespace gradus::emulated {

void Queue::add(std::unique_ptr<Job> job, bool is_kernel) {
  const std::lock_guard lock(mutex_);
  check_lost();
  if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  counters_.launches += is_kernel;
  jobs_.push_back(std::move(job));
  more_.notify_one();
}

void Queue::wait() {
  std::unique_lock lock(mutex_);
  check_lost();
  ++counters_.synchronizations;
  done_.wait(lock, [&] { return jobs_.empty() && !busy_; });
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Queue::set_delays(int microseconds) {
  const std::lock_guard lock(mutex_);
  delay_ = microseconds;
}

void Queue::set_lost(bool lost) {
  const std::lock_guard lock(mutex_);
  lost_ = lost;
}

Counters Queue::counters() {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Queue::check_lost() const {
  if (lost_) throw Error("emulated: the device is lost; what it held is gone; resume from the last checkpoint");
}

void Queue::serve() {
  const core::SerialScope serial;  // the threads that share loops serve one caller at a time
  std::uint32_t random = 1;
  std::unique_lock lock(mutex_);
  for (;;) {
    more_.wait(lock, [&] { return !jobs_.empty(); });
    std::unique_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    busy_ = true;
    const int delay = delay_;
    const bool failed = error_ != nullptr;  // what was asked for since builds on something that is not there
    lock.unlock();
    random = random * 1664525u + 1013904223u;
    if (delay > 0 && random >> 29 == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds((random >> 8) % static_cast<std::uint32_t>(delay)));
    }
    std::exception_ptr error;
    try {
      if (!failed) job->run();
    } catch (...) {
      error = std::current_exception();
    }
    job.reset();
    lock.lock();
    if (error != nullptr && error_ == nullptr) error_ = error;
    busy_ = false;
    if (jobs_.empty()) done_.notify_all();
  }
}

}  // namespace gradus::emulated
