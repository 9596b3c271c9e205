#include "cli/chart/plot_paint.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numbers>
#include <string_view>
#include <vector>

#include "cli/chart/plot_style.h"

namespace gradus::cli {
namespace {

// All lengths are in points.
constexpr double kTickFont = 10, kLabelFont = 11, kTitleFont = 12.5, kLegendFont = 9.5;
constexpr double kSmaller = 0.72;  // powers and subscripts
constexpr double kLineWidth = 1.5, kMarkerWidth = 1.2, kFaintWidth = 0.7, kFaintness = 0.3;
constexpr std::size_t kMostMarkers = 40;

struct Box {
  double left, top, right, bottom;
  bool contains(double x, double y) const { return x >= left && x <= right && y >= top && y <= bottom; }
};

struct Point {
  double x, y;
  bool joined;  // with the point before it
};

Range data_range(const Chart& chart, Scale scale, const std::vector<double> Series::*values) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const Series& series : chart.series) {
    for (const double value : series.*values) {
      if (!has_place(scale, value)) continue;
      range = {std::min(range.low, value), std::max(range.high, value)};
    }
  }
  return range;
}

class Painter {
 public:
  Painter(cairo_t* cairo, const Chart& chart)
      : cairo_(cairo),
        chart_(chart),
        x_(make_axis(chart.x_scale, chart.x_range.value_or(data_range(chart, chart.x_scale, &Series::x)), false)),
        y_(make_axis(chart.y_scale, chart.y_range.value_or(data_range(chart, chart.y_scale, &Series::y)), true)) {
    cairo_select_font_face(cairo_, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    double tick_width = 0;
    for (const Tick& tick : y_.major) tick_width = std::max(tick_width, width_of(tick));
    plot_ = {(chart.y_label.empty() ? 14 : 34) + tick_width, chart.title.empty() ? 16.0 : 36.0, kChartWidth - 20,
             kChartHeight - (chart.x_label.empty() ? 26 : 46)};
    for (const Series& series : chart.series) points_.push_back(points_of(series));
  }

  void paint() {
    paint_grid();
    paint_frame();
    paint_series();
    paint_labels();
    paint_legend();
  }

 private:
  double at_x(double value) const { return plot_.left + x_.position(value) * (plot_.right - plot_.left); }
  double at_y(double value) const { return plot_.bottom - y_.position(value) * (plot_.bottom - plot_.top); }

  std::vector<Point> points_of(const Series& series) const {
    std::vector<Point> points;
    bool joined = false;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      const bool placed = has_place(chart_.x_scale, series.x[i]) && has_place(chart_.y_scale, series.y[i]);
      if (placed) points.push_back({at_x(series.x[i]), at_y(series.y[i]), joined});
      joined = placed;
    }
    return points;
  }

  SeriesStyle style_of(std::size_t i) const {
    SeriesStyle style = series_style(chart_.series[i].color.value_or(i));
    if (chart_.series[i].look != Series::Look::kMarked) style.dashes.clear();
    return style;
  }

  void color(double red, double green, double blue) { cairo_set_source_rgb(cairo_, red, green, blue); }
  void gray(double level) { color(level, level, level); }
  void color(const SeriesStyle& style) { color(style.color[0], style.color[1], style.color[2]); }

  void dash(const std::vector<double>& lengths) {
    cairo_set_dash(cairo_, lengths.data(), static_cast<int>(lengths.size()), 0);
  }

  void line(double x0, double y0, double x1, double y1) {
    cairo_move_to(cairo_, x0, y0);
    cairo_line_to(cairo_, x1, y1);
  }

  double width_of(const std::string& text, double size) {
    cairo_set_font_size(cairo_, size);
    cairo_text_extents_t extents{};
    cairo_text_extents(cairo_, text.c_str(), &extents);
    return extents.x_advance;
  }
  double width_of(const Tick& tick) {
    return width_of(tick.text, kTickFont) + width_of(tick.power, kTickFont * kSmaller);
  }

  // Shows words with subscripts, "E_{b}", from x along the base line y; returns their width. Only measures if !show.
  double words(std::string_view rest, double size, double x, double y, bool show) {
    const double start = x;
    const auto piece = [&](std::string_view part, double font, double drop) {
      const std::string text(part);
      const double width = width_of(text, font);
      cairo_move_to(cairo_, x, y + drop);
      if (show) cairo_show_text(cairo_, text.c_str());
      x += width;
    };
    for (std::size_t open = 0; (open = rest.find("_{")) != rest.npos;) {
      const std::size_t close = std::min(rest.find('}', open), rest.size() - 1);
      piece(rest.substr(0, open), size, 0);
      piece(rest.substr(open + 2, close - open - 2), size * kSmaller, size * 0.22);
      rest.remove_prefix(close + 1);
    }
    piece(rest, size, 0);
    cairo_new_path(cairo_);
    return x - start;
  }

  // `anchor` 0, 0.5 or 1: x is the text's start, middle or end; y is its base line.
  void text(const std::string& text, double size, double x, double y, double anchor) {
    words(text, size, x - anchor * words(text, size, 0, 0, false), y, true);
  }

  void paint_grid() {
    cairo_set_line_width(cairo_, 0.5);
    if (chart_.y_scale == Scale::kLog10) {
      gray(0.93);
      for (const double value : y_.minor) line(plot_.left, at_y(value), plot_.right, at_y(value));
      cairo_stroke(cairo_);
    }
    if (chart_.x_scale == Scale::kLog10) {
      gray(0.93);
      for (const double value : x_.minor) line(at_x(value), plot_.top, at_x(value), plot_.bottom);
      cairo_stroke(cairo_);
    }
    gray(0.80);
    for (const Tick& tick : y_.major) line(plot_.left, at_y(tick.value), plot_.right, at_y(tick.value));
    for (const Tick& tick : x_.major) line(at_x(tick.value), plot_.top, at_x(tick.value), plot_.bottom);
    cairo_stroke(cairo_);
  }

  void paint_series() {
    cairo_set_line_join(cairo_, CAIRO_LINE_JOIN_ROUND);
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const SeriesStyle style = style_of(i);
      const Series::Look look = chart_.series[i].look;
      if (look == Series::Look::kFaint) {
        cairo_set_source_rgba(cairo_, style.color[0], style.color[1], style.color[2], kFaintness);
      } else {
        color(style);
      }
      cairo_save(cairo_);
      cairo_rectangle(cairo_, plot_.left, plot_.top, plot_.right - plot_.left, plot_.bottom - plot_.top);
      cairo_clip(cairo_);
      cairo_set_line_width(cairo_, look == Series::Look::kFaint ? kFaintWidth : kLineWidth);
      dash(style.dashes);
      for (const Point& point : points_[i]) {
        if (point.joined) cairo_line_to(cairo_, point.x, point.y);
        if (!point.joined) cairo_move_to(cairo_, point.x, point.y);
      }
      cairo_stroke(cairo_);
      cairo_restore(cairo_);
      if (look == Series::Look::kMarked) paint_markers(points_[i], style);
    }
  }

  void paint_markers(const std::vector<Point>& points, const SeriesStyle& style) {
    if (points.size() > kMostMarkers) return;
    dash({});
    cairo_set_line_width(cairo_, kMarkerWidth);
    constexpr double kSlack = 0.01;  // points on the frame are inside, whatever the rounding
    const Box inside{plot_.left - kSlack, plot_.top - kSlack, plot_.right + kSlack, plot_.bottom + kSlack};
    for (const Point& point : points) {
      if (inside.contains(point.x, point.y)) draw_marker(cairo_, style.marker, point.x, point.y, style.marker_radius);
    }
  }

  void paint_frame() {
    constexpr double kMajor = 5, kMinor = 2.5;
    gray(0.15);
    dash({});
    cairo_set_line_width(cairo_, 0.8);
    cairo_rectangle(cairo_, plot_.left, plot_.top, plot_.right - plot_.left, plot_.bottom - plot_.top);
    const auto x_tick = [&](double value, double length) {
      line(at_x(value), plot_.bottom, at_x(value), plot_.bottom - length);
      line(at_x(value), plot_.top, at_x(value), plot_.top + length);
    };
    const auto y_tick = [&](double value, double length) {
      line(plot_.left, at_y(value), plot_.left + length, at_y(value));
      line(plot_.right, at_y(value), plot_.right - length, at_y(value));
    };
    for (const Tick& tick : x_.major) x_tick(tick.value, kMajor);
    for (const Tick& tick : y_.major) y_tick(tick.value, kMajor);
    for (const double value : x_.minor) x_tick(value, kMinor);
    for (const double value : y_.minor) y_tick(value, kMinor);
    cairo_stroke(cairo_);
  }

  void paint_labels() {
    gray(0.1);
    for (const Tick& tick : x_.major) {
      const double left = at_x(tick.value) - width_of(tick) / 2, base = plot_.bottom + 15;
      text(tick.text, kTickFont, left, base, 0);
      text(tick.power, kTickFont * kSmaller, left + width_of(tick.text, kTickFont), base - 4.4, 0);
    }
    for (const Tick& tick : y_.major) {
      const double left = plot_.left - 6 - width_of(tick), base = at_y(tick.value) + 3.6;
      text(tick.text, kTickFont, left, base, 0);
      text(tick.power, kTickFont * kSmaller, left + width_of(tick.text, kTickFont), base - 4.4, 0);
    }
    const double middle = (plot_.left + plot_.right) / 2;
    text(chart_.x_label, kLabelFont, middle, kChartHeight - 12, 0.5);
    cairo_save(cairo_);
    cairo_translate(cairo_, 19, (plot_.top + plot_.bottom) / 2);
    cairo_rotate(cairo_, -std::numbers::pi / 2);
    text(chart_.y_label, kLabelFont, 0, 0, 0.5);
    cairo_restore(cairo_);
    text(chart_.title, kTitleFont, middle, 23, 0.5);
  }

  // How much of the data a legend there would cover: points and steps along the lines.
  int covered(const Box& box) const {
    constexpr int kSteps = 24;
    int hits = 0;
    for (const auto& points : points_) {
      for (std::size_t i = 0; i < points.size(); ++i) {
        const Point& to = points[i];
        const Point& from = points[i > 0 && to.joined ? i - 1 : i];
        for (int step = 1; step <= kSteps; ++step) {
          const double part = static_cast<double>(step) / kSteps;
          hits += box.contains(from.x + part * (to.x - from.x), from.y + part * (to.y - from.y));
        }
      }
    }
    return hits;
  }

  Box legend_box(double width, double height) const {
    constexpr double kGap = 9;
    const double left = plot_.left + kGap, right = plot_.right - kGap - width;
    const double top = plot_.top + kGap, bottom = plot_.bottom - kGap - height;
    Box best{};
    int fewest = std::numeric_limits<int>::max();
    for (const auto& [x, y] : {std::array{right, top}, {left, bottom}, {right, bottom}, {left, top}}) {
      const Box box{x, y, x + width, y + height};
      if (const int hits = covered(box); hits < fewest) {
        best = box;
        fewest = hits;
      }
    }
    return best;
  }

  void paint_legend() {
    constexpr double kRow = 15, kSample = 34, kPad = 7;
    double width = 0, rows = 0;
    for (const Series& series : chart_.series) {
      if (series.name.empty()) continue;
      width = std::max(width, words(series.name, kLegendFont, 0, 0, false));
      ++rows;
    }
    if (rows == 0) return;
    const Box box = legend_box(width + kSample + 3 * kPad, rows * kRow + kPad);
    cairo_rectangle(cairo_, box.left, box.top, box.right - box.left, box.bottom - box.top);
    cairo_set_source_rgba(cairo_, 1, 1, 1, 0.92);
    cairo_fill_preserve(cairo_);
    gray(0.7);
    dash({});
    cairo_set_line_width(cairo_, 0.6);
    cairo_stroke(cairo_);
    double y = box.top + (kPad + kRow) / 2;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      if (chart_.series[i].name.empty()) continue;
      const SeriesStyle style = style_of(i);
      const double start = box.left + kPad;
      color(style);
      cairo_set_line_width(cairo_, kLineWidth);
      dash(style.dashes);
      line(start, y, start + kSample, y);
      cairo_stroke(cairo_);
      if (chart_.series[i].look == Series::Look::kMarked && points_[i].size() <= kMostMarkers) {
        dash({});
        cairo_set_line_width(cairo_, kMarkerWidth);
        draw_marker(cairo_, style.marker, start + kSample / 2, y, style.marker_radius);
      }
      gray(0.1);
      text(chart_.series[i].name, kLegendFont, start + kSample + kPad, y + 3.4, 0);
      y += kRow;
    }
  }

  cairo_t* cairo_;
  const Chart& chart_;
  Axis x_, y_;
  Box plot_{};
  std::vector<std::vector<Point>> points_;
};

}  // namespace

void paint_chart(cairo_t* cairo, const Chart& chart) { Painter(cairo, chart).paint(); }

}  // namespace gradus::cli
