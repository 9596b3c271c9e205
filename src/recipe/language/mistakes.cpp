#include "recipe/language/mistakes.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace gradus::recipe {

namespace {

std::vector<Mistake> in_order(std::vector<Mistake> mistakes) {
  std::stable_sort(mistakes.begin(), mistakes.end(), [](const Mistake& a, const Mistake& b) {
    const bool a_option = a.place.line == 0, b_option = b.place.line == 0;
    return std::tuple(a_option, a.place.line, a.place.column) < std::tuple(b_option, b.place.line, b.place.column);
  });
  return mistakes;
}

std::string text_of(const std::vector<Mistake>& mistakes) {
  std::string text;
  for (const Mistake& mistake : in_order(mistakes))
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", mistake.place.to_string(), mistake.what);
  return text;
}

}  // namespace

std::string Place::to_string() const {
  if (line == 0) return file;
  return fmt::format("{}:{}:{}", file, line, column);
}

RecipeError::RecipeError(std::vector<Mistake> mistakes)
    : ValueError(text_of(mistakes)), mistakes_(in_order(std::move(mistakes))) {}

void Mistakes::add(const Place& place, const std::string& what) {
  for (const Mistake& known : found_)
    if (known.what == what && known.place.to_string() == place.to_string()) return;
  found_.push_back({place, what});
}

void Mistakes::raise() const {
  if (!found_.empty()) throw RecipeError(found_);
}

}  // namespace gradus::recipe
