#include "cli/commands/ckpt/ckpt_leaves.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "io/value/utf8.h"

namespace gradus::cli {

namespace {

using io::Value;

bool is_sequence(const Value& value) { return value.is(Value::Kind::List) || value.is(Value::Kind::Tuple); }

bool holds_more(const Value& value) {
  if (value.is(Value::Kind::Tensor) || value.is(Value::Kind::Dict)) return true;
  if (value.is(Value::Kind::Object)) {
    // An array of another type is its type and size.
    return value.type_name() != "torch.Tensor" && value.type_name() != "numpy.ndarray" && holds_more(value.content());
  }
  if (!is_sequence(value)) return false;
  const auto items = value.items();
  return std::any_of(items.begin(), items.end(), holds_more);
}

class Collector {
 public:
  std::vector<Leaf> leaves;

  void collect(const Value& value, const std::string& name) {
    const std::string prefix = name.empty() ? "" : name + ".";
    if (value.is(Value::Kind::Dict) && value.size() > 0) {
      for (const auto& [key, item] : value.entries()) collect_at(key, item, prefix + key.to_string());
    } else if (is_sequence(value) && holds_more(value)) {
      std::int64_t i = 0;
      for (const Value& item : value.items()) {
        collect_at(i, item, prefix + std::to_string(i));
        ++i;
      }
    } else if (value.is(Value::Kind::Object) && holds_more(value)) {
      leaves.push_back({name, path_, Value::object(value.type_name())});
      collect(value.content(), name);
    } else {
      leaves.push_back({name, path_, value});
    }
  }

 private:
  void collect_at(const io::Key& key, const Value& value, const std::string& name) {
    path_.push_back(key);
    collect(value, name);
    path_.pop_back();
  }

  io::Path path_;
};

}  // namespace

std::vector<Leaf> leaves_of(const Value& value) {
  Collector collector;
  collector.collect(value, "");
  return std::move(collector.leaves);
}

std::string printable(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t i = 0, shown = 0;
  for (; i < text.size() && shown < width; ++shown) {
    const auto [code, length] = io::character_at(text, i);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (length == 0 || surrogate || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i++]));
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return i < text.size() ? out + "..." : out;
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
