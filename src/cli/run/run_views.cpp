#include "cli/run/run_views.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "cli/run/output.h"

namespace gradus::cli {

namespace {

constexpr std::int64_t kWarmUp = 3;  // steps before a profile: first allocations, first primitives

}  // namespace

void add_view_options(CLI::App& app, ViewOptions& o) {
  app.add_flag("--tensorboard", o.tensorboard, "Also write event files for TensorBoard into the folder");
  app.add_option("--profile", o.profile,
                 "Profile this many steps after the first few; print where the time goes, and write OUT/trace.json")
      ->check(CLI::Range(1, 1'000'000))
      ->configurable(false);
  app.add_flag("--detect-anomaly", o.detect_anomaly,
               "Stop at the first operation that produces a NaN or an infinity, and name it and its layer; slower")
      ->configurable(false);
}

void RunViews::begin(std::int64_t step, const std::vector<std::string>& about) {
  steps_ = 0;
  if (options_.detect_anomaly) anomalies_.emplace();
  if (!options_.tensorboard) return;
  io::SummaryWriterOptions options;
  if (step > 0) options.purge_step = step + 1;
  events_.emplace(folder_, options);
  std::string line = "    gradus";
  for (const std::string& argument : about) line += " " + argument;
  if (!about.empty()) events_->add_text("command", line, step);
}

void RunViews::log(const nlohmann::ordered_json& record, std::int64_t step) {
  if (!events_) return;
  const auto phase = record.find("phase");
  const std::string group = phase != record.end() && phase->is_string() ? "/" + phase->get<std::string>() : "";
  for (const auto& [key, value] : record.items())
    if (value.is_number() && key != "step") events_->add_scalar(key + group, value.get<double>(), step);
}

void RunViews::images(const std::string& tag, const Tensor& batch, std::int64_t step) {
  if (events_) events_->add_images(tag, batch, step);
}

void RunViews::histograms(const std::string& name, const nn::Module& net, std::int64_t step) {
  if (!events_) return;
  const auto add = [&](const std::string& tag, const Tensor& x) {
    if (x.defined() && x.numel() > 0 && std::isfinite(x.detach().abs().max().item()))
      events_->add_histogram(tag, x, step);
  };
  for (const auto& [path, parameter] : net.named_parameters()) {
    add(name + "/" + path, parameter);
    add(name + "-gradients/" + path, parameter.grad());
  }
}

void RunViews::advance() {
  ++steps_;
  if (options_.profile == 0) return;
  if (steps_ == kWarmUp) profiler_.emplace(ProfilerOptions{.record_shapes = true});
  if (steps_ == kWarmUp + options_.profile) profiler_->stop();
}

void RunViews::end() {
  anomalies_.reset();
  if (options_.profile == 0) return;
  if (!profiler_) {
    say("no profile: there were only {} steps\n", steps_);
    return;
  }
  profiler_->stop();
  const std::string trace = folder_ + "/trace.json";
  profiler_->export_chrome_trace(trace);
  const auto profiled = std::min(steps_ - kWarmUp, options_.profile);
  say("\n{} steps, {:.2f} ms each\n\n{}\n{}\ntrace: {} (for ui.perfetto.dev)\n", profiled,
      1000 * profiler_->seconds() / static_cast<double>(std::max<std::int64_t>(profiled, 1)), profiler_->table(20),
      profiler_->layer_table(15), trace);
}

}  // namespace gradus::cli
