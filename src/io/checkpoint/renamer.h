// Renaming many names by the same rules.
#pragma once

#include <gradus/io/rename.h>

namespace gradus::io {

// Knows which rules matched nothing: a rule with a slip in it must not be silent.
class Renamer {
 public:
  explicit Renamer(const std::vector<Rename>& rules);  // ValueError
  ~Renamer();

  std::string operator()(const std::string& name);
  // ValueError "CALL: the pattern '...' matches none of the names", with the first of them.
  void check_all_matched(std::string_view call) const;

 private:
  struct Rule;
  std::vector<Rule> rules_;
  std::vector<std::string> first_names_;
  std::size_t names_ = 0;
};

}  // namespace gradus::io
