// Values in a module's printed form, as Python writes them.
#pragma once

#include <charconv>
#include <cmath>
#include <string>

namespace gradus::nn {

inline std::string repr(double value) {
  char text[32];
  std::string s(text, std::to_chars(text, text + sizeof text, value).ptr);
  return std::trunc(value) == value && s.find_first_of("en") == std::string::npos ? s + ".0" : s;
}

inline std::string repr(bool value) { return value ? "True" : "False"; }

}  // namespace gradus::nn
