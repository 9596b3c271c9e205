// Line charts of characters, for a terminal.
#pragma once

#include <string>
#include <vector>

#include "cli/chart/axis.h"

namespace gradus::cli {

struct TerminalSeries {
  std::string name;
  std::vector<double> x, y;
};

struct TerminalChartOptions {
  int columns = 80, rows = 12;  // of the whole chart: title, axes and legend are in it
  bool braille = true;          // else plain ASCII
  bool color = true;            // ANSI colours tell the series apart
  Scale y_scale = Scale::kLinear;
};

// The lines of the chart, `rows` of them, none longer than `columns` characters; where there is too little room (under
// 24 columns or 4 rows), one line with the last values. Points without a place are left out and interrupt their
// line.
std::vector<std::string> terminal_chart(const std::string& title, const std::vector<TerminalSeries>& series,
                                        const TerminalChartOptions& options);

}  // namespace gradus::cli
