// One epoch of a loader, or the rest of one.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "gradus/data/data_loader.h"

namespace gradus::data {

inline constexpr int kMaxWorkers = 1024;

constexpr std::int64_t batches_of(std::int64_t samples, std::int64_t batch_size, bool drop_last) {
  return samples / batch_size + (!drop_last && samples % batch_size > 0 ? 1 : 0);
}

// What a loader is, and where it stands. Only the thread that iterates writes to it.
struct __attribute__((visibility("hidden"))) DataLoader::Core {
  AnyDataset dataset;
  DataLoaderOptions options;
  std::uint64_t seed;
  std::int64_t epoch = 0, position = 0;
  bool resumes = false;  // the next begin() goes on at position
  std::vector<SkippedSample> skipped = {};
  std::unordered_set<std::int64_t> known_skipped = {};  // their indices
  const Run* current = nullptr;                         // the run that moves epoch and position

  Core(AnyDataset d, DataLoaderOptions o, std::uint64_t s) : dataset(std::move(d)), options(std::move(o)), seed(s) {}
  void go_to(std::int64_t e, std::int64_t p) {
    epoch = e;
    position = p;
    resumes = true;
    current = nullptr;
  }
};

class __attribute__((visibility("hidden"))) DataLoader::Run {
 public:
  // Takes epoch and position from the core and becomes its current run.
  explicit Run(std::shared_ptr<Core> core);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // The next batch that is not empty, where batches are not shared; null at the end of the epoch.
  std::unique_ptr<Batch> next();

 private:
  // A finished batch on its way from a worker.
  struct Made {
    Batch batch;
    std::vector<SkippedSample> skipped;
    std::vector<std::int64_t> left_out;  // their places in the epoch
    std::exception_ptr error;
    bool ready = false;
  };
  Made make(std::int64_t number) const;
  static std::vector<std::int64_t> chunks_of(const Made& made, std::span<const std::int64_t> bounds);
  void fill(std::span<const std::int64_t> indices, std::int64_t first, Made& made) const;
  static std::string described(const Dataset& dataset, std::int64_t index);  // "sample 3 (cats/a.jpg)"
  Made take();
  void work();
  void stop();
  std::int64_t begin_of(std::int64_t number) const;
  std::int64_t end_of(std::int64_t number) const;

  const std::shared_ptr<Core> core_;
  const std::uint64_t seed_;
  const std::int64_t epoch_, first_;  // first_: the position where this run starts
  std::vector<std::int64_t> order_;
  std::int64_t count_ = 0;                 // batches from first_ on
  std::int64_t stride_ = 1, skipped_ = 0;  // those that are this process's: every stride_-th, after skipped_

  std::mutex mutex_;
  std::condition_variable room_, ready_;
  std::vector<Made> slots_;  // batch i waits in slot i modulo their number
  std::int64_t next_to_make_ = 0, next_to_give_ = 0;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace gradus::data
