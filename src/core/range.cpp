#include "core/range.h"

#include <gradus/core/error.h>
#include <gradus/core/scalar.h>

#include <algorithm>

namespace gradus {

std::string Range::to_string() const {
  if (!words.empty()) return std::string("one of ").append(words);
  std::string text;
  if (has_low() && has_high()) {
    text = low_open ? "in (" : "in [";
    text.append(gradus::to_string(low)).append(", ").append(gradus::to_string(high)).append(high_open ? ")" : "]");
  } else if (has_low()) {
    text.append(low_open ? "above " : "at least ").append(gradus::to_string(low));
  } else if (has_high()) {
    text.append(high_open ? "below " : "at most ").append(gradus::to_string(high));
  }
  return text;
}

bool Range::contains(std::string_view word) const {
  for (std::string_view rest = words; !rest.empty();) {
    const std::size_t end = std::min(rest.find(", "), rest.size());
    if (rest.substr(0, end) == word) return true;
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return false;
}

std::string rule_of(const Range& range) {
  const std::string limits = range.to_string();
  if (!range.words.empty() || (range.has_low() && range.has_high())) return limits;
  return limits.empty() ? "finite" : "finite and " + limits;
}

namespace {
[[noreturn]] void refuse(std::string_view call, std::string_view name, const std::string& rule, const std::string& x) {
  std::string text(call);
  text.append(": ").append(name).append(" must be ").append(rule).append(", got ").append(x);
  throw ValueError(text);
}
}  // namespace

void detail::refuse_number(std::string_view call, std::string_view name, double x, const Range& range) {
  refuse(call, name, rule_of(range), gradus::to_string(x));
}
void detail::refuse_number(std::string_view call, std::string_view name, std::int64_t x, const Range& range) {
  refuse(call, name, range.to_string(), std::to_string(x));
}

}  // namespace gradus
