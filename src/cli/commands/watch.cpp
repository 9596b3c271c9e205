#include "cli/commands/watch.h"

#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/core/pattern.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "cli/chart/terminal_chart.h"
#include "cli/run/interrupt.h"
#include "cli/run/metrics.h"
#include "io/file/posix.h"
#include "text/table.h"

namespace gradus::cli {

namespace {

constexpr int kChartRows = 8;  // of a family, at least

bool is_wanted(const WatchOptions& options, const std::string& key) {
  return options.keys.empty() || std::any_of(options.keys.begin(), options.keys.end(), [&](const std::string& wanted) {
           return wanted == key || matches(wanted, key);
         });
}

std::vector<std::string> wanted_keys(const Metrics& metrics, const WatchOptions& options) {
  std::vector<std::string> keys;
  for (const std::string& key : metrics.keys())
    if (is_wanted(options, key)) keys.push_back(key);
  return keys;
}

double last_step(const Metrics& metrics) {
  double last = 0;
  for (const auto& [key, curve] : metrics.curves())
    if (!curve.x.empty()) last = std::max(last, curve.x.back());
  return last;
}

struct Size {
  int columns = 80, rows = 24;
  bool operator==(const Size&) const = default;
};

Size terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

// The second screen of a terminal, without a cursor; the first comes back at the end as it was.
class SecondScreen {
 public:
  SecondScreen() { io::write_all(STDOUT_FILENO, "\x1b[?1049h\x1b[?25l"); }
  ~SecondScreen() { io::write_all(STDOUT_FILENO, "\x1b[?25h\x1b[?1049l"); }
  SecondScreen(const SecondScreen&) = delete;
  SecondScreen& operator=(const SecondScreen&) = delete;
};

void draw(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) text += lines[i] + "\x1b[K" + (i + 1 < lines.size() ? "\n" : "");
  io::write_all(STDOUT_FILENO, text + "\x1b[J");
}

// Waits; a signal ends it early.
void wait(double seconds) { ::poll(nullptr, 0, static_cast<int>(seconds * 1000)); }

}  // namespace

bool is_in_use(const std::string& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return false;
  // 1: FLOCK  ADVISORY  WRITE 4711 08:01:131073 0 EOF
  const std::string place =
      fmt::format("{:02x}:{:02x}:{}", major(info.st_dev), minor(info.st_dev), static_cast<unsigned long>(info.st_ino));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);)
    if (line.find("FLOCK") != line.npos && line.find(" " + place + " ") != line.npos) return true;
  return false;
}

std::string watch_line(const Metrics& metrics, const WatchOptions& options) {
  std::string line = fmt::format("step {:.0f}", last_step(metrics));
  if (!metrics.phase().empty()) line += "  " + metrics.phase();
  for (const std::string& key : wanted_keys(metrics, options))
    line +=
        fmt::format("  {} {:.4g}", key, smoothed(metrics.curves().at(key), options.smooth, metrics.spacing()).back());
  return line;
}

std::vector<std::string> watch_screen(const Metrics& metrics, const WatchOptions& options, const std::string& state,
                                      int columns, int rows, bool color) {
  std::string head = options.folder + "  " + state;
  if (metrics.lines() > 0) head += fmt::format("  step {:.0f}", last_step(metrics));
  if (!metrics.phase().empty()) head += "  " + metrics.phase();
  if (static_cast<int>(display_width(head)) > columns) head.resize(static_cast<std::size_t>(std::max(columns, 0)));
  std::vector<std::string> lines{head};
  const auto groups = families(wanted_keys(metrics, options));
  if (groups.empty()) {
    lines.push_back(metrics.lines() > 0 ? "no numbers yet" : "waiting for the first metrics");
    return lines;
  }
  // A line for the head, and a free one before each chart.
  const int room = rows - 1;
  const int shown = std::clamp(room / (kChartRows + 1), 1, static_cast<int>(groups.size()));
  for (int i = 0; i < shown; ++i) {
    const int height = room * (i + 1) / shown - room * i / shown;
    std::vector<TerminalSeries> series;
    for (const std::string& key : groups[static_cast<std::size_t>(i)]) {
      const Curve& whole = metrics.curves().at(key);
      const Curve curve =
          thinned({whole.x, smoothed(whole, options.smooth, metrics.spacing())}, static_cast<std::size_t>(4 * columns));
      series.push_back({key, curve.x, curve.y});
    }
    if (height > 5) lines.emplace_back();
    const auto chart = terminal_chart("", series,
                                      {.columns = columns,
                                       .rows = height > 5 ? height - 1 : height,
                                       .braille = !options.ascii,
                                       .color = color,
                                       .y_scale = options.log_y ? Scale::kLog10 : Scale::kLinear});
    lines.insert(lines.end(), chart.begin(), chart.end());
  }
  if (static_cast<int>(lines.size()) > rows) lines.resize(static_cast<std::size_t>(std::max(rows, 1)));
  return lines;
}

namespace {

void print(const std::string& text) {
  if (const int error = io::write_all(STDOUT_FILENO, text))
    io::throw_io_error("write", "write", "standard output", error);
}

}  // namespace

int watch_run(const WatchOptions& options) {
  const InterruptScope interrupts;
  std::error_code ignored;
  if (std::filesystem::exists(options.folder, ignored) && !std::filesystem::is_directory(options.folder, ignored))
    throw ValueError("watch: '" + options.folder + "' is not a folder");
  if (!options.follow && !std::filesystem::exists(options.folder, ignored))
    throw ValueError("watch: there is no folder '" + options.folder + "' (--follow waits for it)");
  Metrics metrics(options.folder + "/metrics.jsonl");
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const bool color = terminal && std::getenv("NO_COLOR") == nullptr;
  bool in_use = is_in_use(options.folder);
  const auto state = [&] { return in_use ? "running" : options.follow ? "waiting" : "ended"; };

  if (!terminal) {
    while (true) {
      if (metrics.read()) print(watch_line(metrics, options) + "\n");
      if (interrupt_signal() != 0 || !(in_use || options.follow)) break;
      wait(options.interval);
      in_use = is_in_use(options.folder);  // before reading: what came before the end is read then
    }
    return 0;
  }

  if (in_use || options.follow) {
    const SecondScreen screen;
    Size shown{0, 0};
    while (interrupt_signal() == 0 && (in_use || options.follow)) {
      const bool was_in_use = in_use;
      in_use = is_in_use(options.folder);
      const bool more = metrics.read();
      const Size size = terminal_size();
      if (more || !(size == shown) || in_use != was_in_use)
        draw(watch_screen(metrics, options, state(), size.columns, size.rows, color));
      shown = size;
      // Looks at the size of the terminal more often than at the run.
      constexpr double kPiece = 0.1;
      for (double waited = 0; waited < options.interval && interrupt_signal() == 0 && terminal_size() == size;
           waited += kPiece)
        wait(std::min(kPiece, options.interval));
    }
  }
  // What stays on the screen.
  metrics.read();
  const Size size = terminal_size();
  std::string text;
  const auto lines = watch_screen(metrics, options, state(), size.columns, std::min(size.rows - 1, 40), color);
  for (const std::string& line : lines) text += line + "\n";
  print(text);
  return 0;  // Ctrl-C is the way out
}

void add_watch(CLI::App& app, int& status) {
  CLI::App& watch = *app.add_subcommand("watch", "Show the curves of a run in the terminal while it trains");
  const auto o = std::make_shared<WatchOptions>();
  watch.add_option("DIR", o->folder, "The run's folder")->required();
  watch
      .add_option("--key", o->keys, "What to show, such as 'loss' or '*_loss'; may be repeated. By default everything")
      ->allow_extra_args(false);
  watch.add_option("--smooth", o->smooth, "Weight of the past in a moving average")
      ->check(CLI::Range(0.0, 0.9999))
      ->capture_default_str();
  watch.add_option("--interval", o->interval, "Seconds between updates")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  watch.add_flag("--log-y", o->log_y, "Use logarithmic vertical axes");
  watch.add_flag("--ascii", o->ascii, "Use only ASCII characters");
  watch.add_flag("--follow", o->follow,
                 "Keep waiting for new data until Ctrl-C, even if the run has ended or not begun");
  watch.callback([o, &status] { status = watch_run(*o); });
}

}  // namespace gradus::cli
