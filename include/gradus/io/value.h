// io::Value: what checkpoints hold. A tree of None, bools, numbers, strings, bytes, tensors, lists, tuples and dicts.
// Whatever else a file holds is an Object: nothing is rebuilt or executed, but its class and content can be looked at.
//
//   const io::Value checkpoint = io::load("run.pth");
//   const double lr = checkpoint.as_double({"optimizer", "param_groups", 0, "lr"});
//   for (const auto& [name, value] : checkpoint.entries({"state_dict"})) use(name.to_string(), value.as_tensor());
//
// Accessors take the path to what is wanted; empty means the value itself. Errors (ValueError) name that path.
// A Value is a number or one pointer: copies are cheap, share what they hold, and part when one of them is changed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gradus/core/ref.h>
#include <gradus/tensor.h>

namespace gradus::nn {
class StateDict;
}

namespace gradus::io {

class Value;
enum class ValueKind : std::uint8_t { None, Bool, Int, Double, String, Bytes, Tensor, List, Tuple, Dict, Object };
const char* to_string(ValueKind kind);

namespace detail {
// What a string, list, tuple, dict or object points to.
struct Box : RefCounted {
  ValueKind kind;
  explicit Box(ValueKind k) : kind(k) {}
  Box(const Box&) = default;
  virtual ~Box() = default;
};
inline void ref_destroy(Box* box) noexcept { delete box; }
struct Access;
}  // namespace detail

// A dict's key, or a position in a list: a string or an integer. Dicts of Python's have other keys, too (Key::of).
class Key {
 public:
  template <std::integral T>
  Key(T number) : key_(static_cast<std::int64_t>(number)) {}
  Key(std::string_view text);
  Key(const char* text) : Key(std::string_view(text)) {}
  Key(const std::string& text) : Key(std::string_view(text)) {}
  // None, a bool, a number, text, bytes, or a tuple of them: Key::of(Value::tuple({1, 2})). ValueError for others.
  static Key of(const Value& value);

  bool is_int() const { return std::holds_alternative<std::int64_t>(key_); }
  bool is_string() const;
  std::int64_t as_int() const;    // ValueError unless it is an integer
  std::string_view text() const;  // of a string; "" for an integer; others as Python prints them: "(1, 2)"
  std::string to_string() const;  // the text, or the number's digits
  Value value() const;
  friend bool operator==(const Key& a, const Key& b);

 private:
  friend struct detail::Access;
  explicit Key(Ref<detail::Box> box) : key_(std::move(box)) {}
  std::variant<std::int64_t, Ref<detail::Box>> key_;
};
using Path = std::vector<Key>;
std::string to_string(const Path& path);  // "optimizer.param_groups[0].lr"

class Value {
 public:
  using Kind = ValueKind;
  using Entry = std::pair<Key, Value>;
  class Items;
  class Entries;

  // Deeper trees are refused (ValueError), so that walking one never exhausts the stack.
  static constexpr std::uint32_t kMaxDepth = 200;

  Value() = default;  // None
  Value(bool x) : data_(x) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Value(T x) : data_(static_cast<std::int64_t>(x)) {}
  template <std::floating_point T>
  Value(T x) : data_(static_cast<double>(x)) {}
  Value(std::string_view text);
  Value(const char* text) : Value(std::string_view(text)) {}
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(Tensor tensor);  // an undefined one becomes None
  Value(const nn::StateDict& dict);
  static Value bytes(std::string_view bytes);
  static Value list(std::vector<Value> items = {});
  static Value tuple(std::vector<Value> items = {});
  static Value dict(std::initializer_list<Entry> entries = {});  // a later equal key replaces
  // What a file holds that is none of the above: an object of a class, what a function would have returned, a tensor of
  // a type that Gradus lacks. `type` names the class or function; `content` is what it was made of: a dict of
  // attributes, a list, a tuple, None. A path goes through an object to its content: {"args", "lr"}.
  static Value object(std::string_view type, Value content = {});

  Kind kind() const;
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_none() const { return is(Kind::None); }

  Value at(const Path& path) const;
  Value operator[](const Key& key) const { return at({key}); }
  bool contains(const Path& path) const;
  bool as_bool(const Path& path = {}) const;
  std::int64_t as_int(const Path& path = {}) const;
  double as_double(const Path& path = {}) const;  // an integer will do
  std::string as_string(const Path& path = {}) const;
  std::string as_bytes(const Path& path = {}) const;
  Tensor as_tensor(const Path& path = {}) const;
  // Of a dict with names: `net.load_state_dict(checkpoint["model"])`. See io::to_state_dict.
  operator nn::StateDict() const;
  Items items(const Path& path = {}) const;            // of a list or tuple
  Entries entries(const Path& path = {}) const;        // of a dict, in order
  std::string type_name(const Path& path = {}) const;  // of an object
  Value content(const Path& path = {}) const;          // of an object
  std::size_t size(const Path& path = {}) const;       // of a list, tuple or dict; of a string or bytes in bytes

  // For a list and for a dict. Other handles of the same list or dict keep what they had.
  void push_back(Value item);
  void set(const Key& key, Value value);  // adds, or replaces in its place
  bool erase(const Key& key);

  // Bounds of the tree that is walked from here: values, itself included (what stands in two places counts twice), and
  // levels. Exact unless entries were replaced or erased; then they may be too high.
  std::uint64_t count() const;
  std::uint32_t depth() const;    // 1 for one that holds no others
  std::string to_string() const;  // as Python prints it, with tensors as "tensor([2, 3], float32)"

 private:
  friend struct detail::Access;
  explicit Value(Ref<detail::Box> box) : data_(std::move(box)) {}
  const detail::Box* box() const;  // null for what is held in place
  const Value* find(const Key& key) const;
  Value expect(const Path& path, Kind kind) const;

  std::variant<std::monostate, bool, std::int64_t, double, Tensor, Ref<detail::Box>> data_;
};

// What a list or tuple holds; keeps it alive, so `for (auto& x : load(path).items())` is safe.
class Value::Items {
 public:
  explicit Items(Ref<detail::Box> owner);
  const Value* begin() const { return items_.data(); }
  const Value* end() const { return items_.data() + items_.size(); }
  std::size_t size() const { return items_.size(); }
  const Value& operator[](std::size_t i) const { return items_[i]; }

 private:
  Ref<detail::Box> owner_;
  std::span<const Value> items_;
};

class Value::Entries {
 public:
  explicit Entries(Ref<detail::Box> owner);
  const Entry* begin() const { return entries_.data(); }
  const Entry* end() const { return entries_.data() + entries_.size(); }
  std::size_t size() const { return entries_.size(); }

 private:
  Ref<detail::Box> owner_;
  std::span<const Entry> entries_;
};

}  // namespace gradus::io
