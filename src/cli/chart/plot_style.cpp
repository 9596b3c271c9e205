#include "cli/chart/plot_style.h"

#include <numbers>

namespace gradus::cli {
namespace {

constexpr std::size_t kStyles = 7;

// Okabe and Ito's palette (2008), distinguishable by the colour-blind, in an order of falling contrast to white.
constexpr std::array<std::array<double, 3>, kStyles> kColors{{{0.000, 0.447, 0.698},
                                                              {0.835, 0.369, 0.000},
                                                              {0.000, 0.620, 0.451},
                                                              {0.580, 0.240, 0.560},
                                                              {0.250, 0.250, 0.250},
                                                              {0.902, 0.624, 0.000},
                                                              {0.337, 0.706, 0.914}}};
constexpr std::array<Marker, kStyles> kMarkers{Marker::kCircle,  Marker::kSquare, Marker::kTriangle,
                                               Marker::kDiamond, Marker::kCross,  Marker::kTriangleDown,
                                               Marker::kPlus};
constexpr std::array<double, kStyles> kRadii{2.6, 3.9, 3.6, 5.4, 3.0, 3.8, 3.8};

void polygon(cairo_t* cairo, std::initializer_list<std::array<double, 2>> corners) {
  for (const auto& [x, y] : corners) cairo_line_to(cairo, x, y);
  cairo_close_path(cairo);
}

}  // namespace

SeriesStyle series_style(std::size_t index) {
  // The first series is a full line, the later ones on top of it have gaps through which it shows.
  static const std::vector<std::vector<double>> kDashes{{}, {6, 3}, {1.6, 2.2}, {7, 2.5, 1.6, 2.5}, {10, 3}, {3.5, 2}};
  const std::size_t round = index / kStyles;
  return {kColors[index % kStyles], kMarkers[index % kStyles], kRadii[index % kStyles],
          kDashes[(index + round) % kDashes.size()]};
}

void draw_marker(cairo_t* cairo, Marker marker, double x, double y, double r) {
  cairo_new_path(cairo);
  switch (marker) {
    case Marker::kCircle:
      cairo_arc(cairo, x, y, r, 0, 2 * std::numbers::pi);
      break;
    case Marker::kSquare:
      cairo_rectangle(cairo, x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
      break;
    case Marker::kTriangle:
      polygon(cairo, {{x, y - 1.2 * r}, {x + 1.1 * r, y + 0.8 * r}, {x - 1.1 * r, y + 0.8 * r}});
      break;
    case Marker::kTriangleDown:
      polygon(cairo, {{x, y + 1.2 * r}, {x + 1.1 * r, y - 0.8 * r}, {x - 1.1 * r, y - 0.8 * r}});
      break;
    case Marker::kDiamond:
      polygon(cairo, {{x, y - r}, {x + r, y}, {x, y + r}, {x - r, y}});
      break;
    case Marker::kCross:
      cairo_move_to(cairo, x - r, y - r);
      cairo_line_to(cairo, x + r, y + r);
      cairo_move_to(cairo, x - r, y + r);
      cairo_line_to(cairo, x + r, y - r);
      break;
    case Marker::kPlus:
      cairo_move_to(cairo, x - r, y);
      cairo_line_to(cairo, x + r, y);
      cairo_move_to(cairo, x, y - r);
      cairo_line_to(cairo, x, y + r);
      break;
  }
  cairo_stroke(cairo);
}

}  // namespace gradus::cli
