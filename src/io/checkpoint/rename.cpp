#include <fmt/ranges.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <optional>
#include <regex>
#include <utility>

#include "io/checkpoint/renamer.h"

namespace gradus::io {

namespace {

// std::regex goes one call deeper with each character; names come from files.
constexpr std::size_t kLongestForRegex = 1000;

// What each star matched; false if the name does not match. Each star takes as little as it can: the text between two
// stars is sought from the left, and the last text must stand at the end.
bool match(std::string_view name, std::string_view pattern, std::vector<std::string_view>& stars) {
  stars.clear();
  std::size_t star = pattern.find('*');
  if (star == pattern.npos) return name == pattern;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  name.remove_prefix(star);
  while (true) {
    pattern.remove_prefix(star + 1);
    star = pattern.find('*');
    if (star == pattern.npos) {
      if (!name.ends_with(pattern)) return false;
      stars.push_back(name.substr(0, name.size() - pattern.size()));
      return true;
    }
    const std::size_t at = name.find(pattern.substr(0, star));
    if (at == name.npos) return false;
    stars.push_back(name.substr(0, at));
    name.remove_prefix(at + star);
  }
}

// The replacement with \1 for the first group, as in Python; \\ is a backslash.
void expand(const std::string& replacement, const std::smatch& groups, std::string& out) {
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    const char next = replacement[i] == '\\' && i + 1 < replacement.size() ? replacement[i + 1] : '\0';
    if (next >= '0' && next <= '9') {
      out += groups.str(static_cast<std::size_t>(next - '0'));
      ++i;
    } else {
      out += replacement[i];
      if (next == '\\') ++i;
    }
  }
}

}  // namespace

struct Renamer::Rule {
  Rename text;
  std::optional<std::regex> regex;
  bool matched = false;

  explicit Rule(const Rename& rule) : text(rule) {
    const auto& [pattern, replacement] = text;
    if (pattern.size() > 2 && pattern.front() == '/' && pattern.back() == '/') {
      try {
        regex.emplace(pattern.substr(1, pattern.size() - 2));
      } catch (const std::regex_error& e) {
        throw ValueError(fmt::format("rename: '{}' is not a regular expression: {}", pattern, e.what()));
      }
      for (std::size_t i = 0; i + 1 < replacement.size(); ++i) {
        const int group = replacement[i] == '\\' ? replacement[i + 1] - '0' : -1;
        if (group >= 0 && group <= 9 && static_cast<unsigned>(group) > regex->mark_count())
          throw ValueError(fmt::format("rename: '{}' asks for group {}, '{}' has {}", replacement, group, pattern,
                                       regex->mark_count()));
        i += replacement[i] == '\\' ? 1 : 0;
      }
    } else if (std::count(replacement.begin(), replacement.end(), '*') >
               std::count(pattern.begin(), pattern.end(), '*')) {
      throw ValueError("rename: '" + replacement + "' has more stars than '" + pattern + "'");
    }
  }

  // The new name, if the rule matches.
  std::optional<std::string> apply(const std::string& name) const {
    return regex ? apply_regex(name) : apply_stars(name);
  }

 private:
  std::optional<std::string> apply_stars(const std::string& name) const {
    std::vector<std::string_view> stars;
    if (!match(name, text.pattern, stars)) return std::nullopt;
    std::string result;
    std::size_t next = 0;
    for (const char c : text.replacement) {
      if (c == '*') {
        result += stars[next++];
      } else {
        result += c;
      }
    }
    return result;
  }

  std::optional<std::string> apply_regex(const std::string& name) const {
    if (name.size() > kLongestForRegex)
      throw ValueError(fmt::format("rename: a name of {} characters is too long for a regular expression, at most {}",
                                   name.size(), kLongestForRegex));
    std::string result;
    auto end = name.begin();
    std::sregex_iterator at(name.begin(), name.end(), *regex);
    if (at == std::sregex_iterator()) return std::nullopt;
    for (; at != std::sregex_iterator(); ++at) {
      result.append(end, (*at)[0].first);
      expand(text.replacement, *at, result);
      end = (*at)[0].second;
    }
    return result.append(end, name.end());
  }
};

Renamer::Renamer(const std::vector<Rename>& rules) {
  for (const Rename& rule : rules) rules_.emplace_back(rule);
}
Renamer::~Renamer() = default;

std::string Renamer::operator()(const std::string& name) {
  constexpr std::size_t kShown = 4;
  ++names_;
  if (first_names_.size() < kShown) first_names_.push_back(name.substr(0, 80));
  for (Rule& rule : rules_) {
    if (auto result = rule.apply(name)) {
      rule.matched = true;
      return std::move(*result);
    }
  }
  return name;
}

void Renamer::check_all_matched(std::string_view call) const {
  for (const Rule& rule : rules_) {
    if (rule.matched) continue;
    throw ValueError(fmt::format("{}: the pattern '{}' matches none of the {} names{}: {}{}", call, rule.text.pattern,
                                 names_, rules_.size() > 1 ? " that the patterns before it leave" : "",
                                 fmt::join(first_names_, ", "), names_ > first_names_.size() ? ", ..." : ""));
  }
}

std::string renamed(std::string name, const std::vector<Rename>& rules) { return Renamer(rules)(name); }

}  // namespace gradus::io
