#include <fmt/format.h>
#include <gradus/io/value.h>

#include <bit>
#include <functional>
#include <limits>

#include "io/value_boxes.h"

namespace gradus::io {

namespace detail {

void Nest::take_in(const Value& value) {
  if (value.depth() + 1 > Value::kMaxDepth) {
    throw ValueError(fmt::format("value: nested more than {} deep", Value::kMaxDepth));
  }
  depth = std::max(depth, value.depth() + 1);
  if (__builtin_add_overflow(count, value.count(), &count)) count = std::numeric_limits<std::uint64_t>::max();
}

namespace {
std::size_t hash_of(const Key& key) {
  return key.is_int() ? std::hash<std::int64_t>{}(key.as_int()) * 0x9e3779b97f4a7c15u
                      : std::hash<std::string_view>{}(key.text());
}
}  // namespace

std::size_t Table::position(const Key& key) const {
  if (slots.empty()) {
    std::size_t i = 0;
    while (i < entries.size() && !(entries[i].first == key)) ++i;
    return i;
  }
  const std::size_t mask = slots.size() - 1;
  for (std::size_t at = hash_of(key) & mask; slots[at] != 0; at = (at + 1) & mask)
    if (entries[slots[at] - 1].first == key) return slots[at] - 1;
  return entries.size();
}

void Table::index(std::size_t position) {
  const std::size_t mask = slots.size() - 1;
  std::size_t at = hash_of(entries[position].first) & mask;
  while (slots[at] != 0) at = (at + 1) & mask;
  slots[at] = static_cast<std::uint32_t>(position + 1);
}

void Table::rebuild() {
  slots.clear();
  if (entries.size() <= kFew) return;
  slots.assign(std::bit_ceil(2 * entries.size()), 0);
  for (std::size_t i = 0; i < entries.size(); ++i) index(i);
}

const Value* Table::find(const Key& key) const {
  const std::size_t i = position(key);
  return i < entries.size() ? &entries[i].second : nullptr;
}

void Table::set(const Key& key, Value value) {
  take_in(value);
  const std::size_t i = position(key);
  if (i < entries.size()) {
    entries[i].second = std::move(value);
    return;
  }
  if (entries.size() >= std::numeric_limits<std::uint32_t>::max() / 4) throw ValueError("value: too many entries");
  entries.emplace_back(key, std::move(value));
  if (slots.size() < entries.size() + entries.size() / 2) {
    rebuild();
  } else {
    index(i);
  }
}

bool Table::erase(const Key& key) {
  const std::size_t i = position(key);
  if (i == entries.size()) return false;
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
  rebuild();
  return true;
}

}  // namespace detail

namespace {

using detail::Sequence;
using detail::Table;
using detail::Text;

const Text& text_of(const detail::Box& box) { return static_cast<const Text&>(box); }
const Sequence& sequence_of(const detail::Box& box) { return static_cast<const Sequence&>(box); }
const Table& table_of(const detail::Box& box) { return static_cast<const Table&>(box); }

bool is_sequence(Value::Kind kind) { return kind == Value::Kind::List || kind == Value::Kind::Tuple; }

// The only owner's box as it is, a shared one as a copy of its own.
template <class B>
B& own(Ref<detail::Box>& box) {
  if (box->use_count() > 1) box = Ref<detail::Box>(make_ref<B>(static_cast<const B&>(*box)));
  return static_cast<B&>(*box);
}

Ref<detail::Box> make_sequence(std::vector<Value> items, Value::Kind kind) {
  auto box = make_ref<Sequence>(kind);
  for (const Value& item : items) box->take_in(item);
  box->items = std::move(items);
  return box;
}

std::string with_article(Value::Kind kind) {
  if (kind == Value::Kind::None) return "None";
  return std::string(kind == Value::Kind::Int ? "an " : "a ") + to_string(kind);
}

[[noreturn]] void refuse(const Path& path, std::string_view what) {
  throw ValueError(fmt::format("value: {}{}{}", to_string(path), path.empty() ? "" : ": ", what));
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') {
      out.append({'\\', c});
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace

Key::Key(std::string_view text) : key_(Ref<detail::Box>(make_ref<Text>(Value::Kind::String, text))) {}

std::int64_t Key::as_int() const {
  if (!is_int()) throw ValueError("value: need an integer as a key, got " + quoted(text()));
  return std::get<std::int64_t>(key_);
}

std::string_view Key::text() const {
  return is_int() ? std::string_view() : std::string_view(text_of(*std::get<Ref<detail::Box>>(key_)).text);
}

std::string Key::to_string() const { return is_int() ? std::to_string(as_int()) : std::string(text()); }

bool operator==(const Key& a, const Key& b) {
  if (a.is_int() != b.is_int()) return false;
  return a.is_int() ? std::get<std::int64_t>(a.key_) == std::get<std::int64_t>(b.key_) : a.text() == b.text();
}

std::string to_string(const Path& path) {
  std::string out;
  for (const Key& key : path) {
    if (key.is_int()) {
      out += fmt::format("[{}]", key.as_int());
    } else {
      out.append(out.empty() ? "" : ".").append(key.text());
    }
  }
  return out;
}

const char* to_string(Value::Kind kind) {
  static constexpr const char* names[] = {"None",         "bool",   "integer", "number", "string",
                                          "bytes object", "tensor", "list",    "tuple",  "dict"};
  return names[static_cast<int>(kind)];
}

Value::Value(std::string_view text) : data_(Ref<detail::Box>(make_ref<Text>(Kind::String, text))) {}

Value::Value(Tensor tensor) {
  if (tensor.defined()) data_ = std::move(tensor);
}

Value Value::bytes(std::string_view bytes) { return Value(Ref<detail::Box>(make_ref<Text>(Kind::Bytes, bytes))); }
Value Value::list(std::vector<Value> items) { return Value(make_sequence(std::move(items), Kind::List)); }
Value Value::tuple(std::vector<Value> items) { return Value(make_sequence(std::move(items), Kind::Tuple)); }

Value Value::dict(std::initializer_list<Entry> entries) {
  auto table = make_ref<Table>();
  for (const auto& [key, value] : entries) table->set(key, value);
  return Value(Ref<detail::Box>(std::move(table)));
}

Value::Kind Value::kind() const {
  struct KindOf {
    Kind operator()(std::monostate) const { return Kind::None; }
    Kind operator()(bool) const { return Kind::Bool; }
    Kind operator()(std::int64_t) const { return Kind::Int; }
    Kind operator()(double) const { return Kind::Double; }
    Kind operator()(const Tensor&) const { return Kind::Tensor; }
    Kind operator()(const Ref<detail::Box>& x) const { return x->kind; }
  };
  return std::visit(KindOf{}, data_);
}

const detail::Box* Value::box() const {
  const auto* box = std::get_if<Ref<detail::Box>>(&data_);
  return box == nullptr ? nullptr : box->get();
}

const Value* Value::find(const Key& key) const {
  if (is(Kind::Dict)) return table_of(*box()).find(key);
  if (!is_sequence(kind()) || !key.is_int() || key.as_int() < 0) return nullptr;
  const auto& items = sequence_of(*box()).items;
  const auto i = static_cast<std::uint64_t>(key.as_int());
  return i < items.size() ? &items[i] : nullptr;
}

bool Value::contains(const Path& path) const {
  const Value* at = this;
  for (const Key& key : path) {
    at = at->find(key);
    if (at == nullptr) return false;
  }
  return true;
}

Value Value::at(const Path& path) const {
  const Value* at = this;
  Path seen;
  for (const Key& key : path) {
    const Value* next = at->find(key);
    if (next == nullptr) {
      const std::string what = key.is_int() ? std::to_string(key.as_int()) : quoted(key.text());
      switch (at->kind()) {
        case Kind::Dict:
          refuse(seen, "there is no key " + what);
        case Kind::List:
        case Kind::Tuple:
          refuse(seen, fmt::format("there is no position {} in {} of {}", what, with_article(at->kind()), at->size()));
        default:
          refuse(seen, fmt::format("need a dict or list to look up {}, got {}", what, with_article(at->kind())));
      }
    }
    seen.push_back(key);
    at = next;
  }
  return *at;
}

Value Value::expect(const Path& path, Kind kind) const {
  Value value = at(path);
  if (!value.is(kind)) refuse(path, fmt::format("need {}, got {}", with_article(kind), with_article(value.kind())));
  return value;
}

bool Value::as_bool(const Path& path) const { return std::get<bool>(expect(path, Kind::Bool).data_); }
std::int64_t Value::as_int(const Path& path) const { return std::get<std::int64_t>(expect(path, Kind::Int).data_); }
std::string Value::as_string(const Path& path) const { return text_of(*expect(path, Kind::String).box()).text; }
std::string Value::as_bytes(const Path& path) const { return text_of(*expect(path, Kind::Bytes).box()).text; }
Tensor Value::as_tensor(const Path& path) const { return std::get<Tensor>(expect(path, Kind::Tensor).data_); }

double Value::as_double(const Path& path) const {
  const Value value = at(path);
  if (const auto* i = std::get_if<std::int64_t>(&value.data_)) return static_cast<double>(*i);
  return std::get<double>(expect(path, Kind::Double).data_);
}

Value::Items Value::items(const Path& path) const {
  const Value value = at(path);
  if (is_sequence(value.kind())) return Items(std::get<Ref<detail::Box>>(value.data_));
  refuse(path, "need a list or tuple, got " + with_article(value.kind()));
}

Value::Entries Value::entries(const Path& path) const {
  return Entries(std::get<Ref<detail::Box>>(expect(path, Kind::Dict).data_));
}

std::size_t Value::size(const Path& path) const {
  const Value value = at(path);
  switch (value.kind()) {
    case Kind::String:
    case Kind::Bytes:
      return text_of(*value.box()).text.size();
    case Kind::List:
    case Kind::Tuple:
      return sequence_of(*value.box()).items.size();
    case Kind::Dict:
      return table_of(*value.box()).entries.size();
    default:
      refuse(path, "need a list, tuple, dict or string, got " + with_article(value.kind()));
  }
}

void Value::push_back(Value item) {
  if (!is(Kind::List)) refuse({}, "push_back needs a list, got " + with_article(kind()));
  Sequence& list = own<Sequence>(std::get<Ref<detail::Box>>(data_));
  list.take_in(item);
  list.items.push_back(std::move(item));
}

void Value::set(const Key& key, Value value) {
  if (!is(Kind::Dict)) refuse({}, "set needs a dict, got " + with_article(kind()));
  own<Table>(std::get<Ref<detail::Box>>(data_)).set(key, std::move(value));
}

bool Value::erase(const Key& key) {
  if (!is(Kind::Dict)) refuse({}, "erase needs a dict, got " + with_article(kind()));
  return own<Table>(std::get<Ref<detail::Box>>(data_)).erase(key);
}

std::uint64_t Value::count() const {
  const bool nest = is_sequence(kind()) || is(Kind::Dict);
  return nest ? static_cast<const detail::Nest&>(*box()).count : 1;
}

std::uint32_t Value::depth() const {
  const bool nest = is_sequence(kind()) || is(Kind::Dict);
  return nest ? static_cast<const detail::Nest&>(*box()).depth : 1;
}

std::string Value::to_string() const {
  switch (kind()) {
    case Kind::None:
      return "None";
    case Kind::Bool:
      return as_bool() ? "True" : "False";
    case Kind::Int:
      return std::to_string(as_int());
    case Kind::Double:
      return fmt::format("{}", as_double());
    case Kind::String:
      return quoted(as_string());
    case Kind::Bytes:
      return fmt::format("b{}", quoted(as_bytes()));
    case Kind::Tensor: {
      const Tensor x = as_tensor();
      return fmt::format("tensor({}, {})", gradus::to_string(x.sizes()), gradus::to_string(x.dtype()));
    }
    case Kind::List:
    case Kind::Tuple: {
      std::string out;
      for (const Value& item : items()) out.append(out.empty() ? "" : ", ").append(item.to_string());
      if (is(Kind::Tuple)) return fmt::format("({}{})", out, size() == 1 ? "," : "");
      return fmt::format("[{}]", out);
    }
    case Kind::Dict: {
      std::string out;
      for (const auto& [key, value] : entries()) {
        out.append(out.empty() ? "" : ", ").append(key.is_int() ? key.to_string() : quoted(key.text()));
        out.append(": ").append(value.to_string());
      }
      return fmt::format("{{{}}}", out);
    }
  }
  return "";
}

Value::Items::Items(Ref<detail::Box> owner) : owner_(std::move(owner)), items_(sequence_of(*owner_).items) {}
Value::Entries::Entries(Ref<detail::Box> owner) : owner_(std::move(owner)), entries_(table_of(*owner_).entries) {}

}  // namespace gradus::io
