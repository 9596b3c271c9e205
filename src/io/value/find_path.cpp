#include "io/value/find_path.h"

#include <algorithm>

#include <fmt/ranges.h>
#include <gradus/core/error.h>

#include "text/table.h"

namespace gradus::io {

namespace {

class Finder {
 public:
  explicit Finder(std::string_view text) : text_(text) {}

  // Keys may hold dots, so a text can have several readings. Two are enough to know.
  void find(const Value& value, std::size_t at) {
    if (found.size() >= 2) return;
    if (at > deepest_) {
      deepest_ = at;
      nearest = value;
      rest = text_.substr(at);
    }
    if (at >= text_.size()) {
      found.push_back(path_);
      return;
    }
    if (value.is(Value::Kind::Dict)) {
      for (const auto& [key, item] : value.entries()) below(key, item, at);
    } else if (value.is(Value::Kind::List) || value.is(Value::Kind::Tuple)) {
      for (std::size_t i = 0; i < value.size(); ++i) below(i, value.items()[i], at);
    }
  }

  std::vector<Path> found;
  Value nearest;          // where the longest part of the text leads
  std::string_view rest;  // what is not there

 private:
  // Goes on below a key that the text has next: key, [0], or ["key"], then a dot, a bracket or the end.
  void below(const Key& key, const Value& item, std::size_t at) {
    const std::string name = key.to_string();
    std::string forms[] = {name, "[" + name + "]", "[\"" + name + "\"]"};
    for (const std::string& form : forms) {
      const bool bracket = &form != &forms[0];
      if (bracket && key.is_int() != (&form == &forms[1])) continue;
      if (text_.compare(at, form.size(), form) != 0) continue;
      std::size_t next = at + form.size();
      if (next < text_.size() && text_[next] != '.' && text_[next] != '[') continue;
      if (next < text_.size() && text_[next] == '.') ++next;
      path_.push_back(key);
      find(item, next);
      path_.pop_back();
    }
  }

  std::string_view text_;
  std::size_t deepest_ = 0;
  Path path_;
};

std::vector<std::string> names_in(const Value& value) {
  constexpr std::size_t kShown = 12;
  std::vector<std::string> names;
  if (value.is(Value::Kind::Dict)) {
    for (const auto& [key, item] : value.entries()) names.push_back(key.to_string().substr(0, 80));
  } else if (value.is(Value::Kind::List) || value.is(Value::Kind::Tuple)) {
    for (std::size_t i = 0; i < std::min(value.size(), kShown); ++i) names.push_back(std::to_string(i));
  }
  if (names.size() > kShown) names.resize(kShown);
  return names;
}

// Has one reading only.
std::string in_brackets(const Path& path) {
  std::string out;
  for (const Key& key : path)
    out += key.is_int() ? fmt::format("[{}]", key.as_int()) : fmt::format("[\"{}\"]", key.text());
  return out;
}

}  // namespace

std::string shown_path(const Path& path) {
  std::string out;
  for (const Key& key : path) out.append(out.empty() ? "" : ".").append(key.to_string());
  return out;
}

Path find_path(std::string_view call, const Value& value, std::string_view text) {
  Finder finder(text);
  finder.nearest = value;
  finder.rest = text;
  finder.find(value, 0);
  if (finder.found.size() == 1) return finder.found[0];
  if (finder.found.size() == 2) {
    throw ValueError(fmt::format("{}: '{}' may be {} or {}; say which", call, text, in_brackets(finder.found[0]),
                                 in_brackets(finder.found[1])));
  }
  std::string_view before = text.substr(0, text.size() - finder.rest.size());
  if (before.ends_with('.')) before.remove_suffix(1);
  const auto names = names_in(finder.nearest);
  const std::string first(finder.rest.substr(0, finder.rest.find_first_of(".[")));
  throw ValueError(
      fmt::format("{}: there is no '{}'{}{}", call, finder.rest, before.empty() ? "" : fmt::format(" at {}", before),
                  names.empty() ? fmt::format(" ({})", to_string(finder.nearest.kind())) : did_you_mean(first, names)));
}

}  // namespace gradus::io
