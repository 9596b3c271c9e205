// What the training commands share: common options, the run's folder, its checkpoints, and where it stands.
#pragma once

#include <gradus/data/dataset.h>
#include <gradus/training/checkpoint_manager.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/run/run_views.h"
#include "io/log/jsonl.h"
#include "training/updater.h"

namespace gradus::cli {

struct Watched;
class RunWatch;

struct RunOptions {
  std::uint64_t seed = 1;
  int threads = 0;  // 0: as many as there are cores
  std::string device = "cpu";
  std::string out;
  std::int64_t save_every = 0;  // steps between checkpoints; 0: by time alone
  double save_minutes = 10;     // 0: by steps alone
  std::int64_t keep = 3;
  bool overwrite = false;                   // drop the checkpoints of an earlier run in `out`
  bool resume = false;                      // go on from the latest checkpoint in `out`
  std::vector<std::string> arguments = {};  // what `gradus resume` parses again: command and options, without `out`
  std::string best = "min";                 // which metric is best, see CheckpointManagerOptions
  std::int64_t chunks = 0;                  // parts of every batch; 0: one per process
  std::string on_nan = "stop";              // what a loss that is not finite does; or "skip", "continue"
  bool audit = false;                       // look for the classic mistakes
  std::optional<std::string> receipt = {};  // where to write what the run did to every parameter; "": in `out`
  ViewOptions views = {};
};

// One run of a training command. A run that goes on writes what one that never stopped would have written:
//
//   const InterruptScope interrupts;
//   Run run(options.run);
//   models::Net net;                    // made as always: the seed is set
//   optim::Adam optimizer(net, ...);
//   run.state().add("net", net);        // everything that training changes
//   run.state().add("optimizer", optimizer);
//   run.begin(net);                     // the start is saved; a resumed run is now where its checkpoint left it
//   while (run.step() < total && !run.interrupted()) {
//     const auto result = run.update("loss", optimizer, run.chunks(batch), [&](const nn::Chunk& chunk) { ... });
//     run.log({{"step", run.step() + 1}, ...});
//     run.advance();                    // counts the step, and saves when it is time
//   }
//   run.end();
//   run.write_summary({...});
//   return run.status();
//
// What a step writes (lines, images) comes before its advance(), which may save.
//
// Of several processes (mpirun -n 4 gradus train ...) each runs all of that, with its share of each batch. Rank 0 alone
// writes: the log, the checkpoints, and what is under `if (run.writes())`. When to stop is decided by all together.
class Run {
 public:
  // Sets threads and seed, makes the folder, and takes it for this process alone. IoError; ValueError where it holds an
  // earlier run. That run is left as it is until begin(): a mistake in another option must not cost it. In a new folder
  // the command line is written down at once: what comes before begin() may take long, and the run can be killed there.
  explicit Run(const RunOptions& options);
  // Of a run that never began, nothing stays.
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::string path(const std::string& file) const { return options_.out + "/" + file; }
  training::Checkpoint& state() { return state_; }
  Device device() const { return options_.device; }

  // A file that belongs to the run: put into its folder when it begins, not when it goes on.
  void keep(const std::string& file, std::string text) { files_.emplace_back(file, std::move(text)); }
  // A run goes on with these data only. Before what depends on them is added to the state.
  void use_data(const std::string& name, const data::Dataset& dataset, const std::vector<std::string>& classes = {});
  // For --audit and --receipt, before begin().
  void watch(Watched watched);
  // `networks` has everything that training changes.
  void begin(nn::Module& networks);
  bool writes() const;  // whether this process writes the run's files
  // For loaders of the training data, and of what is tested on.
  data::BatchShare train_share() const { return training::train_share(options_.chunks); }
  data::BatchShare test_share() const { return training::test_share(); }
  // What update() takes of a batch of so many samples, or of one of a loader with train_share().
  distributed::ChunkedBatch chunks(std::int64_t batch_size) const { return updater_->chunks(batch_size); }
  distributed::ChunkedBatch chunks(const data::Batch& batch) const { return updater_->chunks(batch); }
  // An update, if its loss is accepted. Unset where no process has a sample of the batch.
  std::optional<training::Updater::Result> update(const std::string& loss, optim::Optimizer& optimizer,
                                                  const distributed::ChunkedBatch& batch,
                                                  const training::Updater::Loss& compute);
  training::Updater& updater() { return *updater_; }
  std::int64_t step() const { return step_; }  // finished steps
  bool interrupted() const;                    // by a signal, or by a loss that is not finite
  // Whether to make the update. Of a loss that is not finite it says so, and what comes of it: the run stops after this
  // step, whose update is left out, or the update alone is, or it goes on.
  bool accept(const std::string& loss, double value);
  // At the end: says which parameters are not finite.
  void check_finite(const std::string& name, const nn::Module& net);
  void say_not_finite(const std::string& what);  // that a network is of no use; the status tells
  // A line of metrics.jsonl, for the step that is under way or for `step`. On a full disk lines wait in memory, and a
  // warning is printed.
  void log(const nlohmann::ordered_json& record, std::optional<std::int64_t> step = {});
  // For TensorBoard, where it is asked for: images [batch, channels, height, width], and the parameters of a network.
  void log_images(const std::string& tag, const Tensor& batch);
  void log_histograms(const std::string& name, const nn::Module& net);
  // Prints a warning, once per failure, when saving fails; training goes on.
  void advance(std::optional<double> metric = {});
  // For a metric that is known only after a step was counted: saves if it is the best.
  void rate(double metric);
  // A phase begins: the receipt tells them apart. The first time through the data is over: the audit says what it
  // found.
  void begin_phase(const std::string& name);
  void end_epoch();
  // A part of the run is done: saves.
  void end_phase();
  // After the last step: saves, and waits until all is on the disk.
  void end();
  double seconds() const { return seconds_; }  // from begin() to the last advance(), over all parts of the run

  void write_summary(const nlohmann::ordered_json& summary);
  // The process's exit status: 3 where a loss that is not finite ended the run, or its last loss or its networks are
  // not.
  int status() const;

 private:
  int signal() const;
  void begin_files(bool anew);
  void save();
  bool flush();
  io::Value save_metrics();
  void load_metrics(const io::Value& value);
  template <class Call>
  void warn_on_failure(Call&& call);

  RunOptions options_;
  io::Fd lock_;
  training::Checkpoint state_;
  RunViews views_;
  std::unique_ptr<RunWatch> watch_;
  std::optional<training::CheckpointManager> manager_;
  std::optional<training::Updater> updater_;
  int agreed_signal_ = 0;  // of several processes
  std::optional<io::JsonlWriter> metrics_;
  std::int64_t metrics_bytes_ = 0;               // where it ended at the checkpoint
  std::vector<nlohmann::ordered_json> waiting_;  // lines that could not be written
  std::vector<std::pair<std::string, std::string>> files_;
  bool warned_ = false;
  std::int64_t step_ = 0, saved_step_ = -1;
  std::int64_t nonfinite_steps_ = 0, last_nonfinite_ = -1;
  struct Divergence {
    std::int64_t step;
    std::string loss;
    double value;
  };
  std::optional<Divergence> diverged_;
  bool spoilt_ = false;  // some parameters are not finite
  double seconds_ = 0, start_ = 0;
};

// How the run was started whose checkpoints are in `folder`, or which has not come to its first. ValueError if there is
// none.
struct RecordedStart {
  std::vector<std::string> arguments;  // the command line: what to parse to go on
  std::string folder;                  // where relative paths in it begin; empty: not known
};
RecordedStart recorded_start(const std::string& folder);

// On standard error; an open progress line on a terminal stays as it is.
void warn(const std::string& message);

// Seconds since some start, always growing.
double seconds_now();

}  // namespace gradus::cli
