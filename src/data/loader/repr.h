// Options as Python prints them.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "gradus/data/transforms.h"
#include "text/python.h"

namespace gradus::data {

inline std::string repr(bool x) { return python_text(x); }
inline std::string repr(double x) { return python_text(x); }
inline std::string repr(const transforms::Range& x) { return fmt::format("({}, {})", repr(x.low), repr(x.high)); }
inline std::string repr(const std::vector<double>& x) {
  std::vector<std::string> items;
  for (const double item : x) items.push_back(repr(item));
  return fmt::format("[{}]", fmt::join(items, ", "));
}
inline std::string repr(const transforms::Size& x) {
  return x.width ? fmt::format("({}, {})", x.height, *x.width) : fmt::format("[{}]", x.height);
}
inline const char* repr(InterpolationMode mode) {
  switch (mode) {
    case InterpolationMode::Nearest:
      return "InterpolationMode.NEAREST";
    case InterpolationMode::NearestExact:
      return "InterpolationMode.NEAREST_EXACT";
    case InterpolationMode::Bilinear:
      return "InterpolationMode.BILINEAR";
    case InterpolationMode::Bicubic:
      return "InterpolationMode.BICUBIC";
  }
  return "";
}

}  // namespace gradus::data
