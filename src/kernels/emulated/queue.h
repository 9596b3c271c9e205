// What the emulated device has been asked for, in order, and the thread that does it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "kernels/emulated/device.h"

namespace gradus::emulated {

struct Job {
  virtual ~Job() = default;
  virtual void run() = 0;
};

class Queue {
 public:
  void add(std::unique_ptr<Job> job, bool is_kernel);
  // Waits until all is done, and throws the first error of what was.
  void wait();

  void set_delays(int microseconds);
  void set_lost(bool lost);
  Counters counters();

 private:
  void check_lost() const;
  void serve();

  std::mutex mutex_;
  std::condition_variable more_, done_;
  std::deque<std::unique_ptr<Job>> jobs_;
  bool busy_ = false, lost_ = false;
  int delay_ = 0;
  Counters counters_;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace gradus::emulated
