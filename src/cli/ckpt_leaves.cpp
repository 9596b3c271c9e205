#include "cli/ckpt_leaves.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace gradus::cli {

namespace {

using io::Value;

bool is_sequence(const Value& value) { return value.is(Value::Kind::List) || value.is(Value::Kind::Tuple); }

bool holds_more(const Value& value) {
  if (value.is(Value::Kind::Tensor) || value.is(Value::Kind::Dict)) return true;
  if (!is_sequence(value)) return false;
  const auto items = value.items();
  return std::any_of(items.begin(), items.end(), holds_more);
}

void collect(const Value& value, const std::string& name, std::vector<Leaf>& leaves) {
  const std::string prefix = name.empty() ? "" : name + ".";
  if (value.is(Value::Kind::Dict) && value.size() > 0) {
    for (const auto& [key, item] : value.entries()) collect(item, prefix + key.to_string(), leaves);
  } else if (is_sequence(value) && holds_more(value)) {
    std::size_t i = 0;
    for (const Value& item : value.items()) collect(item, prefix + std::to_string(i++), leaves);
  } else {
    leaves.push_back({name, value});
  }
}

}  // namespace

std::vector<Leaf> leaves_of(const Value& value) {
  std::vector<Leaf> leaves;
  collect(value, "", leaves);
  return leaves;
}

std::string printable(const std::string& text, std::size_t width) {
  std::string out;
  for (const char c : text.substr(0, width)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return text.size() > width ? out + "..." : out;
}

Contents contents_of(const std::vector<Leaf>& leaves) {
  Contents contents;
  std::set<const void*> seen;
  for (const Leaf& leaf : leaves) {
    if (!leaf.value.is(Value::Kind::Tensor)) continue;
    const Tensor x = leaf.value.as_tensor();
    ++contents.tensors;
    contents.elements += x.numel();
    const auto* storage = x.impl()->storage.get();
    if (seen.insert(storage).second) contents.bytes += static_cast<std::int64_t>(storage->nbytes);
  }
  return contents;
}

}  // namespace gradus::cli
