#include "cli/commands/plan_processes.h"

#include <fmt/format.h>
#include <gradus/core/error.h>

#include <charconv>
#include <cmath>
#include <map>

#include "text/table.h"
#include "text/units.h"

namespace gradus::cli {

double bandwidth_of(const std::string& text) {
  static const std::map<std::string, double> kUnits{{"kbit", 1e3 / 8},  {"Mbit", 1e6 / 8}, {"Gbit", 1e9 / 8},
                                                    {"Tbit", 1e12 / 8}, {"kB", 1e3},       {"MB", 1e6},
                                                    {"GB", 1e9}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = kUnits.find(std::string(end, text.data() + text.size()));
  if (error != std::errc() || unit == kUnits.end() || !std::isfinite(number) || number <= 0) {
    throw ValueError(fmt::format(
        "--bandwidth: need a positive number with kbit, Mbit, Gbit, Tbit, kB, MB or GB, per second: 10Gbit; got '{}'",
        text));
  }
  return number * unit->second;
}

std::string plan_of_processes(const optim::Plan& plan, std::int64_t samples, const ProcessesOptions& options) {
  const double bandwidth = bandwidth_of(options.bandwidth);
  const auto n = static_cast<double>(options.processes);
  const optim::PlanRow sum = plan.total();
  double sent = 0;  // the gradients of what an optimizer updates
  for (const optim::PlanRow& row : plan.rows)
    if (!row.optimizer.empty()) sent += static_cast<double>(row.gradient_bytes);
  const double own_samples = std::ceil(static_cast<double>(samples) / n);
  const auto weights = static_cast<double>(sum.weight_bytes), gradients = static_cast<double>(sum.gradient_bytes),
             state = static_cast<double>(sum.state_bytes.value_or(0)), kept = sum.kept_bytes * own_samples;
  // Gradients to be sent, those that came, and their sum, each as a copy.
  const double exchange = 4 * sent;
  const double traffic = 2 * (n - 1) / n * sent;
  Table table({{fmt::format("each of {} processes", options.processes)}, {"", true}, {""}});
  const auto bytes = [&](const char* what, double x, const std::string& note = "") {
    table.add({what, byte_count(x), note});
  };
  bytes("weights", weights);
  bytes("gradients", gradients);
  bytes("optimizer state", state, byte_count(std::ceil(state / n)) + " with ZeroRedundancyOptimizer");
  if (plan.has_costs) bytes("kept for backward", kept, fmt::format("of {:.0f} samples", own_samples));
  bytes("exchange of gradients", exchange, "at most");
  table.rule();
  bytes("memory", weights + gradients + state + kept + exchange);
  bytes("sent per step", traffic, "and as much received");
  table.add({"time of it", short_time(traffic / bandwidth), "at " + options.bandwidth + "/s, if nothing hides it"});
  return table.to_string();
}

}  // namespace gradus::cli
