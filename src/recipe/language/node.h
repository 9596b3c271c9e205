// A recipe's text as a tree, each part with its place. YAML is read by yaml-cpp, here and nowhere else.
#pragma once

#include <string>
#include <vector>

#include "recipe/language/mistakes.h"

namespace gradus::recipe {

struct Node {
  enum class Kind { Null, Scalar, List, Map };
  Kind kind = Kind::Null;
  std::string text;     // of a scalar
  bool quoted = false;  // a text, whatever it looks like
  bool exact = false;   // the text stands in the file as it is, on one line: places within it can be told
  Place place;
  std::string key;  // of what stands in a map
  Place key_place;
  std::vector<Node> children;  // of a scalar: what --set wrote below a call such as "StepLR(30)"

  const Node* find(const std::string& name) const;  // null if there is none
  std::string describe() const;                     // for messages: "a list", "'abc'"
};

// The place of character `offset` of a scalar.
Place place_in(const Node& scalar, std::size_t offset);

// Null with mistakes where it is not YAML, or has a key twice. `name` is the file's, for messages.
Node parse_yaml(const std::string& text, const std::string& name, Mistakes& mistakes);

// "data.batch_size=32": a path and YAML. A part of the path is a key, the `name` of a list's item, or its number from
// 0; keys with dots in them ("net.features") are found too. What lacks on the way is made.
void set(Node& root, const std::string& assignment, Mistakes& mistakes);

}  // namespace gradus::recipe
