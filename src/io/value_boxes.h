// What a Value points to.
#pragma once

#include <gradus/io/value.h>

namespace gradus::io::detail {

struct Text : Box {
  std::string text;
  Text(ValueKind kind, std::string_view t) : Box(kind), text(t) {}
};

// Depth and count hold for what was ever put in: replacing an entry does not lower the depth.
struct Nest : Box {
  using Box::Box;
  std::uint32_t depth = 1;
  std::uint64_t count = 1;
  void take_in(const Value& value);  // ValueError when too deep
};

struct Sequence : Nest {
  using Nest::Nest;
  std::vector<Value> items;
};

struct Table : Nest {
  Table() : Nest(ValueKind::Dict) {}
  std::vector<Value::Entry> entries;
  std::vector<std::uint32_t> slots;  // a hash table of positions + 1, once there are more than a few

  const Value* find(const Key& key) const;
  void set(const Key& key, Value value);
  bool erase(const Key& key);

 private:
  static constexpr std::size_t kFew = 8;
  std::size_t position(const Key& key) const;  // entries.size() if absent
  void index(std::size_t position);
  void rebuild();
};

}  // namespace gradus::io::detail
