#include "cli/chart/terminal_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "text/table.h"

namespace gradus::cli {

namespace {

constexpr int kLeastColumns = 24, kLeastRows = 4;
constexpr int kColors[] = {36, 33, 32, 35, 34, 31};  // cyan, yellow, green, magenta, blue, red

std::string colored(const std::string& text, std::size_t series, bool color) {
  return color ? fmt::format("\x1b[{}m{}\x1b[0m", kColors[series % std::size(kColors)], text) : text;
}

// A character of UTF-8, for code points from U+0800.
std::string utf8(unsigned code) {
  return {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
          static_cast<char>(0x80 | (code & 0x3f))};
}

// A grid of cells; with braille each has 2 x 4 dots, else one.
class Canvas {
 public:
  Canvas(int columns, int rows, bool braille)
      : columns_(columns),
        rows_(rows),
        braille_(braille),
        dots_(static_cast<std::size_t>(columns * rows)),
        owner_(dots_.size()) {}

  int width() const { return braille_ ? 2 * columns_ : columns_; }
  int height() const { return braille_ ? 4 * rows_ : rows_; }

  void dot(int x, int y, std::size_t series) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    // The bits of U+2800 run down the left column, then the right one, and then along the bottom row.
    constexpr std::uint8_t kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    const int column = braille_ ? x / 2 : x, row = braille_ ? y / 4 : y;
    const auto cell = static_cast<std::size_t>(row * columns_ + column);
    dots_[cell] = static_cast<std::uint8_t>(dots_[cell] | (braille_ ? kBits[y % 4][x % 2] : 1));
    owner_[cell] = series;
  }

  void line(int x0, int y0, int x1, int y1, std::size_t series) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i)
      dot(x0 + static_cast<int>(std::lround(static_cast<double>(x1 - x0) * i / steps)),
          y0 + static_cast<int>(std::lround(static_cast<double>(y1 - y0) * i / steps)), series);
  }

  std::string row(int row, bool color) const {
    constexpr const char kMarks[] = "*+o#x%";
    std::string text;
    for (int column = 0; column < columns_; ++column) {
      const auto cell = static_cast<std::size_t>(row * columns_ + column);
      if (dots_[cell] == 0) {
        text += ' ';
        continue;
      }
      const std::string mark =
          braille_ ? utf8(0x2800U + dots_[cell]) : std::string(1, kMarks[owner_[cell] % (sizeof kMarks - 1)]);
      text += colored(mark, owner_[cell], color);
    }
    return text;
  }

 private:
  int columns_, rows_;
  bool braille_;
  std::vector<std::uint8_t> dots_;
  std::vector<std::size_t> owner_;
};

std::string last_value(const TerminalSeries& series) {
  return series.y.empty() ? "-" : fmt::format("{:.4g}", series.y.back());
}

// "loss 0.0123  val_loss 0.0221", as many of them as there is room for.
std::string legend(const std::vector<TerminalSeries>& all, int room, bool color, bool braille) {
  std::string text;
  int used = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    constexpr const char kMarks[] = "*+o#x%";
    // In plain ASCII and without colours, the mark tells the series apart.
    std::string part;
    if (!color && !braille && all.size() > 1) part = {kMarks[i % (sizeof kMarks - 1)], ' '};
    part += all[i].name + " " + last_value(all[i]);
    const int width = static_cast<int>(display_width(part)) + (i > 0 ? 2 : 0);
    if (used + width > room) break;
    if (i > 0) text += "  ";
    text += colored(part, i, color);
    used += width;
  }
  return text;
}

std::string cut(const std::string& text, int columns) {
  if (static_cast<int>(display_width(text)) <= columns) return text;
  std::string out;
  int width = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80 && ++width > columns) break;
    out += c;
  }
  return out;
}

std::string plain_text(const Tick& tick) { return tick.power.empty() ? tick.text : "1e" + tick.power; }

std::string ascii_minus(std::string text) {
  for (std::size_t at = 0; (at = text.find("\u2212", at)) != text.npos;) text.replace(at, 3, 1, '-');
  return text;
}

Range range_of(const std::vector<TerminalSeries>& all, Scale scale, const std::vector<double> TerminalSeries::*values) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const TerminalSeries& series : all)
    for (const double value : series.*values)
      if (has_place(scale, value)) range = {std::min(range.low, value), std::max(range.high, value)};
  return range;
}

}  // namespace

std::vector<std::string> terminal_chart(const std::string& title, const std::vector<TerminalSeries>& series,
                                        const TerminalChartOptions& options) {
  if (options.columns < kLeastColumns || options.rows < kLeastRows)
    return {cut(legend(series, std::max(options.columns, 0), false, true), std::max(options.columns, 0))};
  Range x_range = range_of(series, Scale::kLinear, &TerminalSeries::x);
  if (x_range.low > 0 && x_range.low < 0.1 * x_range.high) x_range.low = 0;  // steps are counted from there
  const Axis x = make_axis(Scale::kLinear, x_range, false);
  const Axis y = make_axis(options.y_scale, range_of(series, options.y_scale, &TerminalSeries::y), false);
  const int plot_rows = options.rows - 2;  // the title above, the axis below

  // Labels of as many ticks as there are rows for.
  std::vector<std::string> labels(static_cast<std::size_t>(plot_rows));
  int label_width = 0, last_row = -2;
  for (auto tick = y.major.rbegin(); tick != y.major.rend(); ++tick) {
    const double place = y.position(tick->value);
    if (place < -1e-9 || place > 1 + 1e-9) continue;
    const int row = std::clamp(static_cast<int>(std::lround((1 - place) * (plot_rows - 1))), 0, plot_rows - 1);
    if (row < last_row + 2) continue;
    last_row = row;
    const std::string text = ascii_minus(plain_text(*tick));
    labels[static_cast<std::size_t>(row)] = text;
    label_width = std::max(label_width, static_cast<int>(display_width(text)));
  }
  label_width = std::min(label_width, options.columns / 3);

  const int plot_columns = options.columns - label_width - 2;
  Canvas canvas(plot_columns, plot_rows, options.braille);
  for (std::size_t s = 0; s < series.size(); ++s) {
    bool joined = false;
    int px = 0, py = 0;
    for (std::size_t i = 0; i < series[s].x.size(); ++i) {
      if (!has_place(Scale::kLinear, series[s].x[i]) || !has_place(options.y_scale, series[s].y[i])) {
        joined = false;
        continue;
      }
      const int cx = static_cast<int>(std::lround(x.position(series[s].x[i]) * (canvas.width() - 1)));
      const int cy = static_cast<int>(std::lround((1 - y.position(series[s].y[i])) * (canvas.height() - 1)));
      if (joined) canvas.line(px, py, cx, cy, s);
      canvas.dot(cx, cy, s);
      px = cx;
      py = cy;
      joined = true;
    }
  }

  std::vector<std::string> lines;
  const std::string head = cut(title, options.columns);
  const int room = options.columns - static_cast<int>(display_width(head)) - (head.empty() ? 0 : 2);
  const std::string values = legend(series, room, options.color, options.braille);
  lines.push_back(head + (head.empty() || values.empty() ? "" : "  ") + values);
  const char* bar = options.braille ? "\u2502" : "|";
  for (int row = 0; row < plot_rows; ++row) {
    const std::string label = cut(labels[static_cast<std::size_t>(row)], label_width);
    lines.push_back(std::string(static_cast<std::size_t>(label_width) - display_width(label), ' ') + label + " " + bar +
                    canvas.row(row, options.color));
  }
  // The horizontal axis: ticks where there is room between their texts.
  std::string axis(static_cast<std::size_t>(options.columns), ' ');
  int free_from = 0;
  for (const Tick& tick : x.major) {
    const double place = x.position(tick.value);
    if (place < -1e-9 || place > 1 + 1e-9) continue;
    const std::string text = ascii_minus(plain_text(tick));
    const int middle = label_width + 2 + static_cast<int>(std::lround(place * (plot_columns - 1)));
    const int length = static_cast<int>(text.size());
    const int start = std::min(middle - length / 2, options.columns - length);
    if (start < free_from || start < label_width) continue;
    axis.replace(static_cast<std::size_t>(start), text.size(), text);
    free_from = start + length + 2;
  }
  axis.erase(axis.find_last_not_of(' ') + 1);
  lines.push_back(axis);
  return lines;
}

}  // namespace gradus::cli
