#include "cli/chart/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus::cli {
namespace {

constexpr double kLargest = 1e300;
constexpr int kMostIntervals = 8;
constexpr const char* kMinus = "\u2212";
// Ends that miss a tick by less than this part of a step count as on it.
constexpr double kSlack = 1e-9;

std::string with_true_minus(std::string text) {
  if (!text.empty() && text.front() == '-') text.replace(0, 1, kMinus);
  return text;
}

struct Step {
  double size;
  int parts;  // minor intervals
};

// The smallest of 1, 2 and 5 times a power of ten that needs at most kMostIntervals steps.
Step round_step(double span) {
  const double unit = std::pow(10.0, std::floor(std::log10(span / kMostIntervals)));
  for (const auto& [factor, parts] : {std::pair{1.0, 2}, {2.0, 2}, {5.0, 5}}) {
    if (span / (factor * unit) <= kMostIntervals * (1 + kSlack)) return {factor * unit, parts};
  }
  return {10 * unit, 2};
}

std::string linear_text(double value, double step) {
  if (std::abs(value) < step * kSlack) return "0";
  constexpr double kPlainLimit = 1e6;
  if (std::abs(value) >= kPlainLimit || step < 1 / kPlainLimit) return with_true_minus(fmt::format("{:.6g}", value));
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + kSlack)));
  return with_true_minus(fmt::format("{:.{}f}", value, decimals));
}

Axis linear_axis(Range range, bool widen) {
  // A span that the doubles around it cannot divide is not a span.
  const double magnitude = std::max(std::abs(range.low), std::abs(range.high));
  if (range.high - range.low <= magnitude * 1e-10) {
    const double middle = range.low / 2 + range.high / 2;
    const double half = magnitude > 0 ? magnitude * 0.1 : 0.5;
    range = {middle - half, middle + half};
  }
  const Step step = round_step(range.high - range.low);
  if (widen) {
    range.low = std::floor(range.low / step.size + kSlack) * step.size;
    range.high = std::ceil(range.high / step.size - kSlack) * step.size;
  }
  Axis axis{Scale::kLinear, range, {}, {}};
  const double first = std::ceil(range.low / step.size - kSlack);
  const double last = std::floor(range.high / step.size + kSlack);
  for (double i = first - 1; i <= last; ++i) {
    if (i >= first) axis.major.push_back({i * step.size, linear_text(i * step.size, step.size), ""});
    for (int part = 1; part < step.parts; ++part) {
      const double value = (i + static_cast<double>(part) / step.parts) * step.size;
      if (value > range.low && value < range.high) axis.minor.push_back(value);
    }
  }
  return axis;
}

Axis log_axis(Range range) {
  const int high = static_cast<int>(std::ceil(std::log10(range.high) - kSlack));
  const int low = std::min(static_cast<int>(std::floor(std::log10(range.low) + kSlack)), high - 1);
  const int step = (high - low + kMostIntervals - 1) / kMostIntervals;
  Axis axis{Scale::kLog10, {std::pow(10.0, low), std::pow(10.0, high)}, {}, {}};
  for (int exponent = low; exponent <= high; ++exponent) {
    const double decade = std::pow(10.0, exponent);
    if ((high - exponent) % step == 0) {
      axis.major.push_back({decade, "10", with_true_minus(fmt::format("{}", exponent))});
    } else {
      axis.minor.push_back(decade);
    }
    if (step > 1 || exponent == high) continue;
    for (int digit = 2; digit <= 9; ++digit) axis.minor.push_back(digit * decade);
  }
  return axis;
}

}  // namespace

bool has_place(Scale scale, double value) {
  if (!(std::abs(value) <= kLargest)) return false;
  return scale == Scale::kLinear || value >= 1 / kLargest;
}

double Axis::position(double value) const {
  if (scale == Scale::kLinear) return (value - range.low) / (range.high - range.low);
  const double low = std::log10(range.low);
  return (std::log10(value) - low) / (std::log10(range.high) - low);
}

Axis make_axis(Scale scale, Range range, bool widen) {
  const bool log = scale == Scale::kLog10;
  if (!has_place(scale, range.high)) range.high = has_place(scale, range.low) ? range.low : 1;
  if (!has_place(scale, range.low)) range.low = log ? range.high / 10 : std::min(0.0, range.high);
  if (range.high < range.low) std::swap(range.low, range.high);
  return log ? log_axis(range) : linear_axis(range, widen);
}

}  // namespace gradus::cli
