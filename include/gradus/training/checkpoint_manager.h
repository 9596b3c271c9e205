// Checkpoints of a run in a folder: when to save, which to keep, where to go on from.
//
//   training::CheckpointManager manager("runs/a/checkpoints", state, {.every_steps = 1000, .keep = 3});
//   if (const auto from = manager.load_latest()) step = from->step;
//   while (step < total) {
//     optimizer.minimize(loss(net(next_batch())));
//     manager.step(++step);
//   }
//   manager.wait();
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gradus/training/checkpoint.h>

namespace gradus::training {

struct CheckpointManagerOptions {
  std::int64_t every_steps = 0;  // save at multiples of this; 0: not by steps
  double every_minutes = 0;      // save when so much time has passed since the last one; 0: not by time
  std::int64_t keep = 3;         // how many of the latest stay; 0: all
  std::string mode = "min";      // what a better metric is: "min" or "max"
  // Saving holds the training up for copying the state, and a thread writes the copy. With false, or where there is no
  // memory for a copy, the call writes it.
  bool background = true;
  // Called before a checkpoint is put in its place, by the thread that writes: files that it refers to are synced here.
  std::function<void()> before_commit = {};
};

struct SavedCheckpoint {
  std::string path;
  std::int64_t step = 0;
};

// The folder holds checkpoint-00001000.pth, with the number of the step, and best.pth, which is the one with the best
// metric. Files of other names are left alone. One manager at a time writes to a folder. In a forked child what the
// parent was writing is the parent's: the child neither waits for it nor learns how it ended.
class CheckpointManager {
 public:
  // `state` must live as long. Makes the folder. ValueError for options out of range, IoError for the folder.
  CheckpointManager(std::string folder, Checkpoint& state, const CheckpointManagerOptions& options = {});
  // Waits for what is being written; an error of that is lost, so call wait() before.
  ~CheckpointManager();
  CheckpointManager(const CheckpointManager&) = delete;
  CheckpointManager& operator=(const CheckpointManager&) = delete;

  // After each training step: saves if it is time, or if `metric` is better than any so far, which one that is not
  // finite never is. True if it did.
  //
  // Throws the IoError of an earlier save that failed in the background; then it has not saved. What had been saved
  // before is still there, training may go on, and the next call in time tries again. While an earlier save is still
  // being written the call waits for it: there is one copy of the state at most.
  bool step(std::int64_t step, std::optional<double> metric = {});
  // Saves now.
  void save(std::int64_t step, std::optional<double> metric = {});
  // Until everything is on the disk. Throws what went wrong.
  void wait();

  struct Loaded {
    std::string path;
    std::int64_t step = 0;
    std::vector<std::string> damaged;  // newer ones that are damaged, and why
  };
  // Loads the newest that is whole. Those that are proven damaged (cut short, or with a wrong checksum) are renamed to
  // NAME.damaged when an older one has been loaded, so that they are not taken for the latest again. Empty if there is
  // none. If it throws, nothing has changed: IoError if all are damaged, or where one cannot be read for another reason
  // (no permission, a folder, a link to nowhere); ValueError if it does not fit the state, or is of a later version.
  std::optional<Loaded> load_latest();

  const std::string& folder() const { return folder_; }
  std::optional<double> best_metric() const { return best_; }

 private:
  struct Writing;  // a checkpoint on its way to the disk
  bool better(double metric) const;
  bool is_writing() const;
  void write(const io::Value& document, std::int64_t step, bool best) const;

  std::string folder_;
  Checkpoint& state_;
  CheckpointManagerOptions options_;
  std::optional<double> best_, before_;  // before the save that is under way
  std::int64_t last_step_ = 0;
  std::chrono::steady_clock::time_point last_time_;
  std::unique_ptr<Writing> writing_;
};

// The checkpoints of a folder, the newest last. Empty where the folder is missing.
std::vector<SavedCheckpoint> list_checkpoints(const std::string& folder);

}  // namespace gradus::training
