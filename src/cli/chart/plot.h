// Line charts for reports.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/chart/axis.h"

namespace gradus::cli {

// All texts may hold subscripts: "E_{b}/N_{0}".
struct Series {
  // Marked: a marker at each point, and dashes. Plain: a full line. Faint: a thin pale one, behind a smoothed curve.
  enum class Look { kMarked, kPlain, kFaint };

  std::string name;  // in the legend; a series without a name is not in it
  std::vector<double> x;
  std::vector<double> y;
  Look look = Look::kMarked;
  std::optional<std::size_t> color = {};  // the number of a style; where not given, the series' own number
};

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  Scale x_scale = Scale::kLinear;
  Scale y_scale = Scale::kLinear;
  std::vector<Series> series;
  // Where not given, the ranges of the data; see make_axis for the rounding.
  std::optional<Range> x_range = {};
  std::optional<Range> y_range = {};
};

// Draws the chart as a file: .png (1560 x 1140 pixels) or .svg, by the end of the name; the file appears whole or not
// at all. Each series has its own colour, marker and dashes, chosen so that curves on top of each other stay apart,
// also in print without colour. Points without a place (not finite; zero or negative on a log axis) are left out and
// interrupt their line. Long series have no markers.
// ValueError for another ending and where x and y differ in length; IoError if the file cannot be written.
void draw_chart(const std::string& path, const Chart& chart);

// Several charts as one picture, in rows of at most two. ValueError where there is none.
void draw_charts(const std::string& path, const std::vector<Chart>& charts);

}  // namespace gradus::cli
