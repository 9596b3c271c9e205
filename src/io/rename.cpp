#include <gradus/error.h>
#include <gradus/io/rename.h>

#include <algorithm>

namespace gradus::io {

namespace {

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

}  // namespace

std::string renamed(std::string name, const std::vector<Rename>& rules) {
  std::vector<std::string_view> stars;
  for (const auto& [pattern, replacement] : rules) {
    if (std::count(replacement.begin(), replacement.end(), '*') > std::count(pattern.begin(), pattern.end(), '*')) {
      throw ValueError("rename: '" + replacement + "' has more stars than '" + pattern + "'");
    }
    if (!match(name, pattern, stars)) continue;
    std::string result;
    std::size_t next = 0;
    for (const char c : replacement) {
      if (c == '*') {
        result += stars[next++];
      } else {
        result += c;
      }
    }
    name = std::move(result);
  }
  return name;
}

}  // namespace gradus::io
