// The curves of a run, from its metrics.jsonl.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gradus::cli {

struct Curve {
  std::vector<double> x, y;  // y may be nan: a gap
};

// Reads a metrics.jsonl piece by piece: a file that grows is read on from where reading ended.
class Metrics {
 public:
  // `x`: the key that curves are drawn over; lines without it are passed over. `file` need not exist yet.
  explicit Metrics(std::string file, std::string x = "step") : file_(std::move(file)), x_(std::move(x)) {}

  // Takes in the lines that have come to an end since. Returns whether there were any. A file that has become shorter,
  // a run that started anew, is read from its beginning. Lines that are not JSON objects are skipped. IoError.
  bool read();

  // By key, those that have numbers. Where a phase begins to count anew its curve continues after the last one; where a
  // run was resumed, what came after that point is dropped.
  const std::map<std::string, Curve>& curves() const { return curves_; }
  const std::vector<std::string>& keys() const { return keys_; }  // in the order of their appearance
  double spacing() const;  // of the points of the curve that has them closest; 1 where none has two
  std::int64_t lines() const { return lines_; }
  const std::string& phase() const { return phase_; }  // of the last line; empty: there are none

 private:
  void take(const std::string& line);
  void cut(double x);

  std::string file_, x_;
  std::int64_t offset_ = 0, lines_ = 0;
  std::map<std::string, Curve> curves_;
  std::vector<std::string> keys_;
  std::string phase_;
  double shift_ = 0, last_ = 0;
  bool any_ = false;
};

// Exponential moving average, free of bias at its start, as TensorBoard draws it: the past has the weight, in [0, 1),
// per `spacing` of x. So a curve with few points is not smoothed more than one with many. Gaps stay.
std::vector<double> smoothed(const Curve& curve, double weight, double spacing);

// At most `most` points with the extremes of what was left out.
Curve thinned(const Curve& curve, std::size_t most);

// Keys that belong into one panel, by their last word: loss with val_loss, g_loss and loss/train; lr comes last.
std::vector<std::vector<std::string>> families(const std::vector<std::string>& keys);

// What tells the folders apart: "runs/gan-1", "runs/gan-2" -> "gan-1", "gan-2".
std::vector<std::string> short_names(const std::vector<std::string>& folders);

}  // namespace gradus::cli
