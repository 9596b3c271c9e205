// What an argument or option may be: one description for layers, functions, optimizers and recipes, which checks values
// and says the rule in its errors.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace gradus {

// Finite numbers in [low, high], or inside it where the ends are open; of words, those that are listed.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;
  std::string_view words = {};  // "original, match_rms_adamw"

  bool contains(double x) const {
    return std::isfinite(x) && (low_open ? x > low : x >= low) && (high_open ? x < high : x <= high);
  }
  bool contains(std::string_view word) const;
  bool has_low() const { return !std::isinf(low); }
  bool has_high() const { return !std::isinf(high); }
  std::string to_string() const;  // "at least 1", "in [0, 1)", "one of a, b"; "" where all numbers are in it
};

constexpr Range any_number{};
constexpr Range at_least(double low) { return {.low = low}; }
constexpr Range at_most(double high) { return {.high = high}; }
constexpr Range above(double low) { return {.low = low, .low_open = true}; }
constexpr Range between(double low, double high) { return {.low = low, .high = high}; }
constexpr Range inside(double low, double high) {
  return {.low = low, .high = high, .low_open = true, .high_open = true};
}
constexpr Range from_below(double low, double high) { return {.low = low, .high = high, .high_open = true}; }
constexpr Range one_of(std::string_view words) { return {.words = words}; }

// "finite and at least 0", "in [0, 1)": what a floating-point number must be.
std::string rule_of(const Range& range);

namespace detail {
[[noreturn]] void refuse_number(std::string_view call, std::string_view name, double x, const Range& range);
[[noreturn]] void refuse_number(std::string_view call, std::string_view name, std::int64_t x, const Range& range);
}  // namespace detail

// ValueError "Dropout: p must be in [0, 1], got 2" unless x is in the range.
inline void check_range(std::string_view call, std::string_view name, double x, const Range& range) {
  if (!range.contains(x)) detail::refuse_number(call, name, x, range);
}
inline void check_range(std::string_view call, std::string_view name, std::int64_t x, const Range& range) {
  if (!range.contains(static_cast<double>(x))) detail::refuse_number(call, name, x, range);
}

}  // namespace gradus
