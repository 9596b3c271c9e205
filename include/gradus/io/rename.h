// Names by pattern, for files whose networks named their parts otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradus::io {

// A name that matches `pattern` becomes `replacement`. `*` stands for any characters, as few as fit, and in the
// replacement for what the same star matched: {"module.*", "*"} strips a prefix, {"*.gamma", "*.weight"} renames an
// end, {"layers.*.attn.*", "blocks.*.attention.*"} both. A pattern without stars is a whole name.
struct Rename {
  std::string pattern;
  std::string replacement;
};

// The name after all rules, one after the other. ValueError if a replacement has more stars than its pattern.
std::string renamed(std::string name, const std::vector<Rename>& rules);

}  // namespace gradus::io
