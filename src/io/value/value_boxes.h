// What a Value points to.
#pragma once

#include <gradus/io/value.h>

namespace gradus::io::detail {

struct Text : Box {
  std::string text;
  Text(ValueKind kind, std::string_view t) : Box(kind), text(t) {}
};

// A key that is neither text nor a number. `text` is how Python prints it, and what tells it from others.
struct OtherKey : Text {
  Value value;
  OtherKey(Value v, std::string_view text) : Text(v.kind(), text), value(std::move(v)) {}
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

struct Opaque : Nest {
  std::string type;
  Value content;
  Opaque(std::string_view t, Value c) : Nest(ValueKind::Object), type(t), content(std::move(c)) {
    if (!content.is_none()) take_in(content);
  }
};

// For readers, which make boxes of their own.
struct Access {
  static Value value(Ref<Box> box) { return Value(std::move(box)); }
  static Key key(Ref<Box> box) { return Key(std::move(box)); }
  static const Box* box(const Value& value) { return value.box(); }
};

// As Python prints it: 'it\'s'.
std::string quoted(std::string_view text);

}  // namespace gradus::io::detail
