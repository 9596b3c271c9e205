// What tells the series of a chart apart.
#pragma once

#include <cairo.h>
#include <array>
#include <cstddef>
#include <vector>

namespace gradus::cli {

enum class Marker { kCircle, kSquare, kTriangle, kDiamond, kCross, kTriangleDown, kPlus };

struct SeriesStyle {
  std::array<double, 3> color;  // red, green, blue, 0 to 1
  Marker marker;
  double marker_radius;        // points
  std::vector<double> dashes;  // points on and off; empty: a full line
};

// The style of the series of that number; colours and markers repeat after seven, with other dashes.
SeriesStyle series_style(std::size_t index);

// Draws an open marker in the current colour.
void draw_marker(cairo_t* cairo, Marker marker, double x, double y, double radius);

}  // namespace gradus::cli
