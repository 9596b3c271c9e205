#include "recipe/language/node.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "text/table.h"

namespace gradus::recipe {

namespace {

// Aliases may make a small file a huge tree, or one without an end.
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 100000;

struct Reader {
  const std::string& file;
  std::vector<std::string_view> lines;
  Mistakes& mistakes;
  std::size_t nodes = 0;

  Place place(const YAML::Mark& mark) const {
    return mark.is_null() ? Place{file, 1, 1} : Place{file, mark.line + 1, mark.column + 1};
  }

  Node read(const YAML::Node& yaml, int depth) {
    Node node;
    node.place = place(yaml.Mark());
    if (depth > kMaxDepth || ++nodes > kMaxNodes) {
      mistakes.add(node.place, "the recipe is nested too deeply, or too large");
      return node;
    }
    if (yaml.IsScalar()) {
      node.kind = Node::Kind::Scalar;
      node.text = yaml.Scalar();
      node.quoted = yaml.Tag() == "!";
      const auto line = static_cast<std::size_t>(node.place.line - 1);
      const auto first = static_cast<std::size_t>(node.place.column - 1) + (node.quoted ? 1U : 0U);
      node.exact = line < lines.size() && first <= lines[line].size() &&
                   lines[line].substr(first, node.text.size()) == node.text;
    } else if (yaml.IsSequence()) {
      node.kind = Node::Kind::List;
      for (const YAML::Node& item : yaml) node.children.push_back(read(item, depth + 1));
    } else if (yaml.IsMap()) {
      node.kind = Node::Kind::Map;
      for (const auto& entry : yaml) {
        const Place key_place = place(entry.first.Mark());
        if (!entry.first.IsScalar()) {
          mistakes.add(key_place, "a key must be a name, got a " + std::string(entry.first.IsMap() ? "map" : "list"));
          continue;
        }
        const std::string key = entry.first.Scalar();
        if (const Node* first = node.find(key); first != nullptr) {
          mistakes.add(key_place, "'" + key + "' stands here a second time; the first is at line " +
                                      std::to_string(first->key_place.line));
          continue;
        }
        node.children.push_back(read(entry.second, depth + 1));
        node.children.back().key = key;
        node.children.back().key_place = key_place;
      }
    }
    return node;
  }
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t first = 0; first <= text.size();) {
    const std::size_t end = std::min(text.find('\n', first), text.size());
    lines.push_back(text.substr(first, end - first));
    first = end + 1;
  }
  return lines;
}

// Everything within a value that was given on the command line has the option for its place.
void put_place(Node& node, const Place& place) {
  node.place = node.key_place = place;
  node.exact = false;
  for (Node& child : node.children) put_place(child, place);
}

// The child that the path goes on with, and how much of the path names it. Of keys with dots the longest wins.
Node* step_into(Node& node, const std::string& path, std::size_t first, std::size_t& length) {
  Node* found = nullptr;
  length = std::min(path.find('.', first), path.size()) - first;
  const std::string_view rest = std::string_view(path).substr(first);
  const auto offer = [&](Node& child, const std::string& name) {
    const bool fits = rest.starts_with(name) && (rest.size() == name.size() || rest[name.size()] == '.');
    if (name.empty() || !fits || (found != nullptr && name.size() <= length)) return;
    found = &child;
    length = name.size();
  };
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    Node& child = node.children[i];
    if (node.kind != Node::Kind::List) {
      offer(child, child.key);
    } else {
      if (const Node* name = child.find("name")) offer(child, name->text);
      offer(child, std::to_string(i));
    }
  }
  return found;
}

}  // namespace

const Node* Node::find(const std::string& name) const {
  if (kind == Kind::List) return nullptr;
  for (const Node& child : children)
    if (child.key == name) return &child;
  return nullptr;
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::Null:
      return "nothing";
    case Kind::List:
      return "a list";
    case Kind::Map:
      return "a map";
    case Kind::Scalar:
      break;
  }
  constexpr std::size_t kShown = 40;
  return "'" + (text.size() > kShown ? text.substr(0, kShown) + "..." : text) + "'";
}

Place place_in(const Node& scalar, std::size_t offset) {
  Place place = scalar.place;
  if (scalar.exact) place.column += static_cast<int>(offset) + (scalar.quoted ? 1 : 0);
  return place;
}

Node parse_yaml(const std::string& text, const std::string& name, Mistakes& mistakes) {
  Reader reader{name, lines_of(text), mistakes};
  try {
    return reader.read(YAML::Load(text), 0);
  } catch (const YAML::Exception& e) {
    mistakes.add(reader.place(e.mark), "this is not YAML: " + e.msg);
    return {};
  }
}

void set(Node& root, const std::string& assignment, Mistakes& mistakes) {
  const std::size_t equals = assignment.find('=');
  const std::string path = assignment.substr(0, equals);
  const Place place{"--set " + path};
  if (equals == std::string::npos || path.empty()) {
    mistakes.add({"--set " + assignment}, "needs KEY=VALUE, as in data.batch_size=32");
    return;
  }
  Mistakes unread;
  Node value = parse_yaml(assignment.substr(equals + 1), place.file, unread);
  if (!unread.empty()) {
    mistakes.add(place, "the value is not YAML: '" + assignment.substr(equals + 1) + "'");
    return;
  }
  put_place(value, place);
  Node* node = &root;
  for (std::size_t first = 0; first <= path.size();) {
    std::size_t length = 0;
    Node* next = step_into(*node, path, first, length);
    if (next == nullptr && node->kind == Node::Kind::List) {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < node->children.size(); ++i) {
        const Node* name = node->children[i].find("name");
        names.push_back(name != nullptr ? name->text : std::to_string(i));
      }
      const std::string wanted = path.substr(first, length);
      mistakes.add(place, "the list has no item '" + wanted + "'" + did_you_mean(wanted, names));
      return;
    }
    if (next == nullptr) {
      if (node->kind == Node::Kind::Null) node->kind = Node::Kind::Map;
      next = &node->children.emplace_back();
      next->key = path.substr(first, length);
      next->place = next->key_place = place;
    }
    node = next;
    first += length + 1;
  }
  value.key = node->key;
  value.key_place = node->key_place;
  *node = std::move(value);
}

}  // namespace gradus::recipe
