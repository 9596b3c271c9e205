// How far a training run has come, on standard error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gradus::cli {

struct ProgressState {
  std::string label;
  int64_t step = 0;
  int64_t total = 0;  // 0 where it is not known: no bar, no time left
  double seconds = 0;
  double loss = 0;
  std::string extra = {};  // shown at the end of the line as it is
  int64_t first = 0;       // the step it began with: of a resumed run
  std::optional<double> lr = {};
};

// The line for a terminal of `columns` characters, shorter than that by at least one; where space is short the bar
// goes, then `extra`, then the learning rate, then the end of the line:
// `joint  [#######-------------]  7000/20000  3412 steps/s  loss 0.0213  lr 0.001  0:04 left`.
std::string format_progress(const ProgressState& state, int columns);

// The same facts for a log: no bar, nothing left out: `joint  7000/20000  35%  3412 steps/s  loss 0.0213  0:04 left`.
std::string format_progress_plain(const ProgressState& state);

// The last line: the time taken in the place of the time left.
std::string format_progress_end(const ProgressState& state);

struct ProgressOutput {
  int fd = 2;
  double plain_seconds = 5.0;         // time between lines where the output is not a terminal
  double (*seconds_now)() = nullptr;  // a clock for tests; null: the steady clock
};

// Draws the line in place on a terminal, at most ten times a second; prints plain lines elsewhere. update() between two
// drawings costs a look at the clock. Errors of the output are ignored: a lost terminal must not end a training run.
class Progress {
 public:
  Progress(std::string label, int64_t total, ProgressOutput output = {});
  // Ends an open line on a terminal, so that an error message starts on one of its own.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Of a resumed run: `first` steps were finished before. Rates and times count from there.
  void start_at(int64_t first) { state_.first = first; }
  // `step` counts the finished steps.
  void update(int64_t step, double loss, std::string extra = "", std::optional<double> lr = {});
  // Prints the last line; further calls do nothing.
  void finish();

 private:
  double now() const;
  void draw();
  void redraw(std::string_view line);
  void print(std::string_view text);

  ProgressState state_;
  ProgressOutput output_;
  bool terminal_;
  bool finished_ = false;
  double start_;
  double next_;            // seconds since the start
  std::size_t drawn_ = 0;  // characters of the open line
};

}  // namespace gradus::cli
