#include "cli/run/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

#include "cli/run/output.h"
#include "io/file/posix.h"

namespace gradus::cli {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr int kWidestBar = 30;
constexpr int kNarrowestBar = 8;

double fraction(const ProgressState& state) {
  return std::clamp(static_cast<double>(state.step) / static_cast<double>(state.total), 0.0, 1.0);
}

// 0:05, 12:34, 1:02:03
std::string clock_text(double seconds) {
  constexpr double kLongest = 3.6e9;
  const auto whole = static_cast<int64_t>(std::ceil(std::clamp(seconds, 0.0, kLongest)));
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

double steps_here(const ProgressState& state) { return static_cast<double>(state.step - state.first); }

std::string rate_text(const ProgressState& state) {
  if (state.seconds <= 0 || state.step <= state.first) return "- steps/s";
  const double rate = steps_here(state) / state.seconds;
  return rate >= 100 ? fmt::format("{:.0f} steps/s", rate) : fmt::format("{:.3g} steps/s", rate);
}

std::string steps_text(const ProgressState& state) {
  return state.total > 0 ? fmt::format("{}/{}", state.step, state.total) : fmt::format("{}", state.step);
}

std::string time_left_text(const ProgressState& state) {
  if (state.step <= state.first || state.seconds <= 0) return "-:-- left";
  const double left = static_cast<double>(std::max<int64_t>(state.total - state.step, 0));
  return clock_text(state.seconds * left / steps_here(state)) + " left";
}

// A NaN may have a sign, which says nothing.
std::string loss_text(const ProgressState& state) {
  return fmt::format("loss {:.4g}", std::isnan(state.loss) ? std::fabs(state.loss) : state.loss);
}
std::string lr_text(const ProgressState& state) { return state.lr ? fmt::format("lr {:.3g}", *state.lr) : ""; }

std::string join(const std::vector<std::string>& parts) {
  std::string line;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!line.empty()) line += "  ";
    line += part;
  }
  return line;
}

}  // namespace

std::string format_progress(const ProgressState& state, int columns) {
  const auto room = static_cast<std::size_t>(std::max(columns - 1, 0));
  std::vector<std::string> parts{state.label,   "", steps_text(state), rate_text(state), loss_text(state),
                                 lr_text(state)};
  if (state.total > 0) parts.push_back(time_left_text(state));
  parts.push_back(state.extra);

  std::string line = join(parts);
  const int bar_room = static_cast<int>(room) - static_cast<int>(line.size()) - 4;  // two brackets, two blanks
  if (state.total > 0 && bar_room >= kNarrowestBar) {
    const int cells = std::min(bar_room, kWidestBar);
    const int full = static_cast<int>(fraction(state) * cells);
    parts[1] = fmt::format("[{:#<{}}{:-<{}}]", "", full, "", cells - full);
    line = join(parts);
  }
  if (line.size() > room) {
    parts.pop_back();
    line = join(parts);
  }
  if (line.size() > room) {
    parts[5].clear();  // the rate of learning
    line = join(parts);
  }
  if (line.size() > room) line.resize(room);
  return line;
}

std::string format_progress_plain(const ProgressState& state) {
  if (state.total <= 0) {
    return join({state.label, steps_text(state), rate_text(state), loss_text(state), lr_text(state), state.extra});
  }
  // Rounded down: 100% means finished.
  const auto percent = static_cast<int>(fraction(state) * 100);
  return join({state.label, steps_text(state), fmt::format("{}%", percent), rate_text(state), loss_text(state),
               lr_text(state), time_left_text(state), state.extra});
}

std::string format_progress_end(const ProgressState& state) {
  return join({state.label, steps_text(state), rate_text(state), loss_text(state), lr_text(state),
               fmt::format("in {:.1f} s", state.seconds), state.extra});
}

Progress::Progress(std::string label, int64_t total, ProgressOutput output)
    : output_(is_quiet() ? ProgressOutput{.fd = -1} : output),
      terminal_(::isatty(output_.fd) == 1),
      start_(now()),
      next_(terminal_ ? 0 : output_.plain_seconds) {
  state_.label = std::move(label);
  state_.total = total;
}

Progress::~Progress() {
  if (drawn_ > 0) print("\n");
}

double Progress::now() const {
  if (output_.seconds_now != nullptr) return output_.seconds_now();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Progress::update(int64_t step, double loss, std::string extra, std::optional<double> lr) {
  state_.lr = lr;
  state_.step = step;
  state_.loss = loss;
  state_.extra = std::move(extra);
  state_.seconds = now() - start_;
  if (finished_ || state_.seconds < next_) return;
  next_ = state_.seconds + (terminal_ ? kRedrawSeconds : output_.plain_seconds);
  draw();
}

void Progress::draw() {
  if (!terminal_) {
    print(format_progress_plain(state_) + "\n");
    return;
  }
  winsize size{};
  const bool known = ::ioctl(output_.fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  constexpr int kUsualColumns = 80;
  redraw(format_progress(state_, known ? size.ws_col : kUsualColumns));
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  state_.seconds = now() - start_;
  const std::string line = format_progress_end(state_);
  if (terminal_) {
    redraw(line);
    drawn_ = 0;
    print("\n");
  } else {
    print(line + "\n");
  }
}

void Progress::redraw(std::string_view line) {
  std::string text(1, '\r');
  text.append(line);
  if (line.size() < drawn_) text.append(drawn_ - line.size(), ' ');  // covers the rest of a longer line
  drawn_ = line.size();
  print(text);
}

void Progress::print(std::string_view text) { io::write_all(output_.fd, text); }

}  // namespace gradus::cli
