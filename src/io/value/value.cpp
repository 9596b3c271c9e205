#include <fmt/format.h>
#include <gradus/io/value.h>

#include "io/value/value_boxes.h"

namespace gradus::io {

namespace {

using detail::Opaque;
using detail::quoted;
using detail::Sequence;
using detail::Table;
using detail::Text;

const Text& text_of(const detail::Box& box) { return static_cast<const Text&>(box); }
const Sequence& sequence_of(const detail::Box& box) { return static_cast<const Sequence&>(box); }
const Table& table_of(const detail::Box& box) { return static_cast<const Table&>(box); }
const Opaque& opaque_of(const detail::Box& box) { return static_cast<const Opaque&>(box); }

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
  return std::string(kind == Value::Kind::Int || kind == Value::Kind::Object ? "an " : "a ") + to_string(kind);
}

// What stands where something else is wanted.
std::string found(const Value& value) {
  if (!value.is(Value::Kind::Object)) return with_article(value.kind());
  constexpr std::uint64_t kFew = 8;
  const std::string text = value.count() <= kFew ? value.to_string() : "";
  return (text.empty() || text.size() > 200 ? fmt::format("<{} ...>", value.type_name().substr(0, 150)) : text) +
         ", which is not rebuilt; its parts are found by path and by content()";
}

[[noreturn]] void refuse(const Path& path, std::string_view what) {
  throw ValueError(fmt::format("value: {}{}{}", to_string(path), path.empty() ? "" : ": ", what));
}

}  // namespace

const char* to_string(Value::Kind kind) {
  static constexpr const char* names[] = {"None",   "bool", "integer", "number", "string", "bytes object",
                                          "tensor", "list", "tuple",   "dict",   "object"};
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

Value Value::object(std::string_view type, Value content) {
  return Value(Ref<detail::Box>(make_ref<Opaque>(type, std::move(content))));
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
  if (is(Kind::Object)) return opaque_of(*box()).content.find(key);
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
      const std::string what = key.is_string() ? quoted(key.text()) : key.to_string();
      switch (at->kind()) {
        case Kind::Dict:
          refuse(seen, "there is no key " + what);
        case Kind::List:
        case Kind::Tuple:
          refuse(seen, fmt::format("there is no position {} in {} of {}", what, with_article(at->kind()), at->size()));
        default:
          refuse(seen, fmt::format("need a dict or list to look up {}, got {}", what, found(*at)));
      }
    }
    seen.push_back(key);
    at = next;
  }
  return *at;
}

Value Value::expect(const Path& path, Kind kind) const {
  Value value = at(path);
  if (!value.is(kind)) refuse(path, fmt::format("need {}, got {}", with_article(kind), found(value)));
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
  refuse(path, "need a list or tuple, got " + found(value));
}

Value::Entries Value::entries(const Path& path) const {
  return Entries(std::get<Ref<detail::Box>>(expect(path, Kind::Dict).data_));
}

std::string Value::type_name(const Path& path) const { return opaque_of(*expect(path, Kind::Object).box()).type; }
Value Value::content(const Path& path) const { return opaque_of(*expect(path, Kind::Object).box()).content; }

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
      refuse(path, "need a list, tuple, dict or string, got " + found(value));
  }
}

void Value::push_back(Value item) {
  if (!is(Kind::List)) refuse({}, "push_back needs a list, got " + found(*this));
  Sequence& list = own<Sequence>(std::get<Ref<detail::Box>>(data_));
  list.take_in(item);
  list.items.push_back(std::move(item));
}

void Value::set(const Key& key, Value value) {
  if (!is(Kind::Dict)) refuse({}, "set needs a dict, got " + found(*this));
  own<Table>(std::get<Ref<detail::Box>>(data_)).set(key, std::move(value));
}

bool Value::erase(const Key& key) {
  if (!is(Kind::Dict)) refuse({}, "erase needs a dict, got " + found(*this));
  return own<Table>(std::get<Ref<detail::Box>>(data_)).erase(key);
}

std::uint64_t Value::count() const {
  const bool nest = is_sequence(kind()) || is(Kind::Dict) || is(Kind::Object);
  return nest ? static_cast<const detail::Nest&>(*box()).count : 1;
}

std::uint32_t Value::depth() const {
  const bool nest = is_sequence(kind()) || is(Kind::Dict) || is(Kind::Object);
  return nest ? static_cast<const detail::Nest&>(*box()).depth : 1;
}

Value::Items::Items(Ref<detail::Box> owner) : owner_(std::move(owner)), items_(sequence_of(*owner_).items) {}
Value::Entries::Entries(Ref<detail::Box> owner) : owner_(std::move(owner)), entries_(table_of(*owner_).entries) {}

}  // namespace gradus::io
