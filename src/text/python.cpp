#include "text/python.h"

#include <fmt/format.h>

namespace gradus {

std::string python_text(double value) {
  const std::string text = fmt::format("{}", value);  // the shortest, and an exponent where Python writes one
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

}  // namespace gradus
