// Axes of a chart: where values lie, and where their ticks.
#pragma once

#include <string>
#include <vector>

namespace gradus::cli {

enum class Scale { kLinear, kLog10 };

struct Range {
  double low = 0;
  double high = 0;
};

struct Tick {
  double value = 0;
  std::string text;   // "0.5", or the base "10"
  std::string power;  // on a log axis the exponent, to be raised; else empty
};

struct Axis {
  Scale scale = Scale::kLinear;
  Range range;
  std::vector<Tick> major;
  std::vector<double> minor;

  // 0 at the low end, 1 at the high end, outside that beyond them.
  double position(double value) const;
};

// Whether a value has a place on such an axis: finite (and no larger than 1e300), and positive on a log axis.
bool has_place(Scale scale, double value);

// Finds round ticks for the range. A log axis is widened to whole decades; a linear one to whole ticks where `widen` is
// set. An empty or reversed range, or ends without a place, give a range around what is usable: any input is fine.
Axis make_axis(Scale scale, Range range, bool widen);

}  // namespace gradus::cli
