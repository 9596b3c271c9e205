// Names by pattern, for files whose networks named their parts otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradus::io {

// A name that matches `pattern` becomes `replacement`. `*` stands for any characters, as few as fit, and in the
// replacement for what the same star matched: {"module.*", "*"} strips a prefix, {"*.gamma", "*.weight"} renames an
// end, {"layers.*.attn.*", "blocks.*.attention.*"} both. A pattern without stars is a whole name.
//
// A pattern between slashes is a regular expression (ECMAScript), and each match in a name is replaced, as by Python's
// re.sub: {"/^module\\.|^_orig_mod\\./", ""}, {"/layer(\\d+)/", "stage\\1"}.
struct Rename {
  std::string pattern;
  std::string replacement;
};

// The name by the first rule that matches it; as it is where none does. ValueError for a rule that is not valid: more
// stars in the replacement than in the pattern, a regular expression that is none.
std::string renamed(std::string name, const std::vector<Rename>& rules);

}  // namespace gradus::io
