#include "cli/commands/plot_runs.h"

#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/core/pattern.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>

#include "cli/chart/plot.h"
#include "cli/run/metrics.h"
#include "text/table.h"

namespace gradus::cli {

namespace {

constexpr std::size_t kMostPoints = 2000;  // of a curve, in the picture

struct LoadedRun {
  std::string name;
  Metrics metrics;
};

std::string metrics_file(const std::string& given) {
  std::error_code ignored;
  return std::filesystem::is_directory(given, ignored) ? given + "/metrics.jsonl" : given;
}

std::vector<LoadedRun> load(const PlotOptions& options) {
  if (!options.labels.empty() && options.labels.size() != options.folders.size())
    throw ValueError(fmt::format("--label: need one for each of the {} runs, got {}", options.folders.size(),
                                 options.labels.size()));
  const auto names = options.labels.empty() ? short_names(options.folders) : options.labels;
  std::vector<LoadedRun> runs;
  for (std::size_t i = 0; i < options.folders.size(); ++i) {
    const std::string file = metrics_file(options.folders[i]);
    LoadedRun run{names[i], Metrics(file, options.x)};
    run.metrics.read();
    if (run.metrics.lines() == 0) throw ValueError("plot: there are no metrics in '" + file + "'");
    if (run.metrics.keys().empty())
      throw ValueError("plot: no line of '" + file + "' has both '" + options.x + "' and a number to draw over it");
    runs.push_back(std::move(run));
  }
  return runs;
}

std::vector<std::string> all_keys(const std::vector<LoadedRun>& runs) {
  std::vector<std::string> keys;
  for (const LoadedRun& run : runs)
    for (const std::string& key : run.metrics.keys())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  return keys;
}

// The keys of each panel.
std::vector<std::vector<std::string>> panels_of(const PlotOptions& options, const std::vector<std::string>& known) {
  if (options.keys.empty()) return families(known);
  std::vector<std::vector<std::string>> panels;
  for (const std::string& wanted : options.keys) {
    panels.emplace_back();
    for (std::size_t at = 0; at <= wanted.size();) {
      const std::size_t end = std::min(wanted.find(',', at), wanted.size());
      const std::string pattern = wanted.substr(at, end - at);
      bool any = false;
      for (const std::string& key : known) {
        if (key != pattern && !matches(pattern, key)) continue;
        any = true;
        panels.back().push_back(key);
      }
      if (!any) throw ValueError("--key: no run has '" + pattern + "'" + did_you_mean(pattern, known));
      at = end + 1;
    }
  }
  return panels;
}

std::optional<Range> range_of(const char* option, const std::vector<double>& ends) {
  if (ends.empty()) return {};
  if (!(ends[0] < ends[1]))
    throw ValueError(fmt::format("{}: need the lower end first, got {} and {}", option, ends[0], ends[1]));
  return Range{ends[0], ends[1]};
}

// "loss" of "d_loss" and "g_loss".
std::string common_name(const std::vector<std::string>& keys) {
  if (keys.size() == 1) return keys.front();
  std::string name;
  for (const std::string& key : keys) name += (name.empty() ? "" : ", ") + key;
  constexpr std::size_t kLongest = 40;
  if (name.size() <= kLongest) return name;
  const std::string& first = keys.front();
  return first.substr(first.find_last_of("_/") + 1);
}

// Steps are counted from 0, also where the first line comes a little later.
std::optional<Range> from_zero(const std::vector<std::string>& keys, const std::vector<LoadedRun>& runs) {
  constexpr double kLittle = 0.1;
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const LoadedRun& run : runs) {
    for (const std::string& key : keys) {
      const auto found = run.metrics.curves().find(key);
      if (found == run.metrics.curves().end() || found->second.x.empty()) continue;
      low = std::min(low, found->second.x.front());
      high = std::max(high, found->second.x.back());
    }
  }
  if (low > 0 && low < kLittle * high) return Range{0, high};
  return {};
}

Chart chart_of(const PlotOptions& options, const std::vector<std::string>& keys, const std::vector<LoadedRun>& runs) {
  Chart chart;
  chart.x_label = options.x;
  chart.y_label = common_name(keys);
  chart.x_scale = options.log_x ? Scale::kLog10 : Scale::kLinear;
  chart.y_scale = options.log_y ? Scale::kLog10 : Scale::kLinear;
  chart.x_range = range_of("--x-range", options.x_range);
  if (!chart.x_range && !options.log_x) chart.x_range = from_zero(keys, runs);
  chart.y_range = range_of("--y-range", options.y_range);
  std::vector<Series> faint, clear;
  for (const LoadedRun& run : runs) {
    for (const std::string& key : keys) {
      const auto found = run.metrics.curves().find(key);
      if (found == run.metrics.curves().end()) continue;
      const std::size_t color = clear.size();
      std::string name = keys.size() == 1 ? run.name : runs.size() == 1 ? key : run.name + ": " + key;
      if (keys.size() == 1 && runs.size() == 1) name.clear();
      const Curve& whole = found->second;
      const double smooth = key.ends_with("lr") ? 0 : options.smooth;  // a learning rate has no noise
      if (smooth > 0) {
        const Curve curve = thinned(whole, kMostPoints);
        faint.push_back({"", curve.x, curve.y, Series::Look::kFaint, color});
      }
      const Curve curve =
          thinned({whole.x, smooth > 0 ? smoothed(whole, smooth, run.metrics.spacing()) : whole.y}, kMostPoints);
      // A single point is not a line.
      const auto look = curve.x.size() < 2 ? Series::Look::kMarked : Series::Look::kPlain;
      clear.push_back({name, curve.x, curve.y, look, color});
    }
  }
  chart.series = std::move(faint);
  chart.series.insert(chart.series.end(), clear.begin(), clear.end());
  return chart;
}

}  // namespace

int plot_runs(const PlotOptions& options) {
  const auto runs = load(options);
  const auto keys = all_keys(runs);
  if (options.list) {
    Table table({{"key"}, {"run"}, {"points", true}, {"first", true}, {"last", true}});
    for (const std::string& key : keys) {
      for (const LoadedRun& run : runs) {
        const auto found = run.metrics.curves().find(key);
        if (found == run.metrics.curves().end()) continue;
        const auto& y = found->second.y;
        table.add({key, run.name, std::to_string(y.size()), fmt::format("{:.4g}", y.front()),
                   fmt::format("{:.4g}", y.back())});
      }
    }
    fmt::print("{}", table.to_string());
    return 0;
  }
  std::vector<Chart> charts;
  for (const auto& panel : panels_of(options, keys)) charts.push_back(chart_of(options, panel, runs));
  if (charts.size() == 1) {
    charts.front().title = options.title.empty() && runs.size() == 1 ? runs.front().name : options.title;
  } else {
    // Each panel says above it what it shows.
    for (Chart& chart : charts) {
      chart.title = options.title.empty() ? chart.y_label : options.title + ": " + chart.y_label;
      chart.y_label.clear();
    }
  }
  std::string out = options.out;
  std::error_code ignored;
  if (out.empty()) {
    const std::string& only = options.folders.front();
    out = runs.size() == 1 && std::filesystem::is_directory(only, ignored) ? only + "/curves.png" : "curves.png";
  }
  draw_charts(out, charts);
  fmt::print("plot: {}\n", out);
  return 0;
}

void add_plot(CLI::App& app, int& status) {
  CLI::App& plot = *app.add_subcommand("plot", "Draw the curves of one or several runs, as PNG or SVG");
  const auto o = std::make_shared<PlotOptions>();
  plot.add_option("DIR", o->folders, "Folders of runs, or metrics.jsonl files")->required();
  plot.add_option("--out", o->out,
                  "The picture to write, .png or .svg; by default curves.png in the folder of a single run");
  plot.add_option(
          "--key", o->keys,
          "What to draw in one panel, such as 'loss,val_loss' or '*_loss'; repeat it for more panels. By default "
          "everything, with what belongs together in one panel")
      ->allow_extra_args(false);
  plot.add_option("--label", o->labels, "The name of a run in the picture; repeat it for each run")
      ->allow_extra_args(false);
  plot.add_option("--title", o->title, "The title; by default the name of a single run");
  plot.add_option("--x", o->x, "The key for the horizontal axis")->capture_default_str();
  plot.add_option("--x-range", o->x_range, "First and last value of the horizontal axis")->expected(2);
  plot.add_option("--y-range", o->y_range, "First and last value of the vertical axis")->expected(2);
  plot.add_flag("--log-x", o->log_x, "Use a logarithmic horizontal axis");
  plot.add_flag("--log-y", o->log_y, "Use a logarithmic vertical axis");
  plot.add_option("--smooth", o->smooth,
                  "Weight of the past in a moving average; the original curve stays visible, faintly")
      ->check(CLI::Range(0.0, 0.9999))
      ->capture_default_str();
  plot.add_flag("--list", o->list, "Only print the keys");
  plot.callback([o, &status] { status = plot_runs(*o); });
}

}  // namespace gradus::cli
