// What people see of a training run besides its metrics and its progress: events for TensorBoard, a profile, anomalies.
#pragma once

#include <gradus/autograd/detect_anomaly.h>
#include <gradus/io/tensorboard.h>
#include <gradus/nn/module.h>
#include <gradus/profiler.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gradus::cli {

struct ViewOptions {
  bool tensorboard = false;
  std::int64_t profile = 0;  // steps to profile
  bool detect_anomaly = false;
};

// The options of every command that trains.
void add_view_options(CLI::App& app, ViewOptions& options);

// From begin() on for the calling thread.
class RunViews {
 public:
  RunViews(const ViewOptions& options, std::string folder) : options_(options), folder_(std::move(folder)) {}

  // `step`: of the run so far, more than 0 where it was resumed. `about`: its command line.
  void begin(std::int64_t step, const std::vector<std::string>& about);
  // The numbers of a line of metrics, as scalars: "loss", or "loss/joint" where the line has a phase.
  void log(const nlohmann::ordered_json& record, std::int64_t step);
  void images(const std::string& tag, const Tensor& batch, std::int64_t step);
  void histograms(const std::string& name, const nn::Module& net, std::int64_t step);  // of parameters and gradients
  void advance();                                                                      // after each step
  // Prints the profile, and writes its trace.
  void end();

 private:
  ViewOptions options_;
  std::string folder_;
  std::int64_t steps_ = 0;  // since begin()
  std::optional<io::SummaryWriter> events_;
  std::optional<Profiler> profiler_;
  std::optional<autograd::DetectAnomaly> anomalies_;
};

}  // namespace gradus::cli
