#include "cli/commands/plan_processes.h"

#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/nn/parallel.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "text/table.h"
#include "text/units.h"

namespace gradus::cli {

namespace {

// A number and the unit after it; nothing for anything else.
std::optional<double> number_in(const std::map<std::string, double>& units, const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = units.find(std::string(end, text.data() + text.size()));
  if (error != std::errc() || unit == units.end() || !std::isfinite(number)) return {};
  return number * unit->second;
}

}  // namespace

double bandwidth_of(const std::string& text) {
  static const std::map<std::string, double> kUnits{{"kbit", 1e3 / 8},  {"Mbit", 1e6 / 8}, {"Gbit", 1e9 / 8},
                                                    {"Tbit", 1e12 / 8}, {"kB", 1e3},       {"MB", 1e6},
                                                    {"GB", 1e9}};
  const std::optional<double> bandwidth = number_in(kUnits, text);
  if (!bandwidth || *bandwidth <= 0) {
    throw ValueError(fmt::format(
        "--bandwidth: need a positive number with kbit, Mbit, Gbit, Tbit, kB, MB or GB, per second: 10Gbit; got '{}'",
        text));
  }
  return *bandwidth;
}

double duration_of(const std::string& option, const std::string& text) {
  static const std::map<std::string, double> kUnits{{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
  const std::optional<double> seconds = number_in(kUnits, text);
  if (!seconds || *seconds < 0)
    throw ValueError(
        fmt::format("{}: need a number from 0 on with ns, us, ms or s, such as 50us; got '{}'", option, text));
  return *seconds;
}

// Two stages in which all ranks tell each other what they are about to do, then each bucket's exchange and gathering.
// Buckets are under way together, so only two stages of theirs wait for the network's latency; and the processor works
// on messages while the wire carries others, so the slower of the two counts.
Exchange exchange_of(double gradient_bytes, std::int64_t processes, double bandwidth, double latency, double overhead) {
  if (processes < 2) return {};
  const auto n = static_cast<double>(processes);
  const double buckets = std::ceil(gradient_bytes / (nn::DistributedDataParallelOptions{}.bucket_cap_mb * (1 << 20)));
  const double words = 2 * (n - 1), sums = 2 * buckets * (n - 1);
  Exchange exchange{.messages = words + sums, .bytes = 2 * (n - 1) / n * gradient_bytes};
  const double busy = 2 * overhead;  // sending one and receiving one
  exchange.seconds = 4 * latency + words * busy + std::max(sums * busy, exchange.bytes / bandwidth);
  return exchange;
}

std::string plan_of_processes(const optim::Plan& plan, std::int64_t samples, const ProcessesOptions& options) {
  const double latency = duration_of("--latency", options.latency);
  const double overhead = duration_of("--overhead", options.overhead);
  const auto n = static_cast<double>(options.processes);
  const optim::PlanRow sum = plan.total();
  double sent = 0;  // the gradients of what an optimizer updates
  for (const optim::PlanRow& row : plan.rows)
    if (!row.optimizer.empty()) sent += static_cast<double>(row.gradient_bytes);
  const double own_samples = std::ceil(static_cast<double>(samples) / n);
  const auto weights = static_cast<double>(sum.weight_bytes), gradients = static_cast<double>(sum.gradient_bytes),
             state = static_cast<double>(sum.state_bytes.value_or(0)), kept = sum.kept_bytes * own_samples;
  // Gradients to be sent, those that came, and their sum, each as a copy.
  const double copies = 4 * sent;
  const Exchange exchange = exchange_of(sent, options.processes, bandwidth_of(options.bandwidth), latency, overhead);
  Table table({{fmt::format("each of {} processes", options.processes)}, {"", true}, {""}});
  const auto bytes = [&](const char* what, double x, const std::string& note = "") {
    table.add({what, byte_count(x), note});
  };
  bytes("weights", weights);
  bytes("gradients", gradients);
  bytes("optimizer state", state, byte_count(std::ceil(state / n)) + " with ZeroRedundancyOptimizer");
  if (plan.has_costs) bytes("kept for backward", kept, fmt::format("of {:.0f} samples", own_samples));
  bytes("exchange of gradients", copies, "at most");
  table.rule();
  bytes("memory", weights + gradients + state + kept + copies);
  bytes("sent per step", exchange.bytes, fmt::format("in {:.0f} messages, and as much received", exchange.messages));
  std::string given = "at " + options.bandwidth + "/s";
  if (latency > 0) given += ", " + options.latency + " of latency";
  if (overhead > 0) given += ", " + options.overhead + " of work per message";
  table.add({"time of it", short_time(exchange.seconds), given + ", if nothing hides it"});
  return table.to_string();
}

}  // namespace gradus::cli
