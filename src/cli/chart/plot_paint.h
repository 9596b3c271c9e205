// The drawing of a chart, whatever the file it goes to.
#pragma once

#include <cairo.h>

#include "cli/chart/plot.h"

namespace gradus::cli {

constexpr double kChartWidth = 520, kChartHeight = 380;  // points

// Paints the chart over the rectangle from the origin; errors stay in the status of `cairo`.
void paint_chart(cairo_t* cairo, const Chart& chart);

}  // namespace gradus::cli
