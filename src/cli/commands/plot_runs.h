// gradus plot: the curves of runs as a picture.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gradus::cli {

struct PlotOptions {
  std::vector<std::string> folders;  // of runs, or metrics.jsonl files
  std::string out;                   // empty: curves.png in the folder, or here where there are several
  std::vector<std::string> keys;     // one panel each, "loss,val_loss"; a name may be a pattern. Empty: all, by family
  std::vector<std::string> labels;   // for the runs; empty: what tells their folders apart
  std::string x = "step", title;
  std::vector<double> x_range, y_range;  // two numbers, or none
  bool log_x = false, log_y = false, list = false;
  double smooth = 0;  // weight of the moving average
};

int plot_runs(const PlotOptions& options);

// Defines the command; running it sets `status`.
void add_plot(CLI::App& app, int& status);

}  // namespace gradus::cli
