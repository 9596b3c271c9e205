// gradus watch: the curves of a run while it goes on, in the terminal.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gradus::cli {

class Metrics;

struct WatchOptions {
  std::string folder;
  std::vector<std::string> keys = {};  // names or patterns; empty: all
  double smooth = 0, interval = 1;     // seconds between looks
  bool log_y = false, ascii = false, follow = false;
};

// What a terminal of that size shows: as many families of keys as there is room for.
std::vector<std::string> watch_screen(const Metrics& metrics, const WatchOptions& options, const std::string& state,
                                      int columns, int rows, bool color);
// One line: step, and the last value of each key.
std::string watch_line(const Metrics& metrics, const WatchOptions& options);

// Whether a process has the folder of a run in use.
bool is_in_use(const std::string& folder);

// Until the run ends, or Ctrl-C; at once where it has ended already, unless `follow`. Where the output is not a
// terminal, a line per interval in which something came.
int watch_run(const WatchOptions& options);

// Defines the command; running it sets `status`.
void add_watch(CLI::App& app, int& status);

}  // namespace gradus::cli
