#include <gradus/io/value.h>

#include <algorithm>

#include "io/value/value_boxes.h"

namespace gradus::io {

namespace {

const detail::Text& text_of(const Ref<detail::Box>& box) { return static_cast<const detail::Text&>(*box); }

bool is_hashable(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Tensor:
    case Value::Kind::List:
    case Value::Kind::Dict:
    case Value::Kind::Object:
      return false;
    case Value::Kind::Tuple: {
      const auto items = value.items();
      return std::all_of(items.begin(), items.end(), is_hashable);
    }
    default:
      return true;
  }
}

}  // namespace

Key::Key(std::string_view text) : key_(Ref<detail::Box>(make_ref<detail::Text>(Value::Kind::String, text))) {}

Key Key::of(const Value& value) {
  if (value.is(Value::Kind::Int)) return value.as_int();
  if (value.is(Value::Kind::String)) return value.as_string();
  if (!is_hashable(value)) throw ValueError("value: a key cannot hold a list, dict, tensor or object");
  return Key(Ref<detail::Box>(make_ref<detail::OtherKey>(value, value.to_string())));
}

bool Key::is_string() const { return !is_int() && std::get<Ref<detail::Box>>(key_)->kind == Value::Kind::String; }

std::int64_t Key::as_int() const {
  if (!is_int())
    throw ValueError("value: need an integer as a key, got " + (is_string() ? detail::quoted(text()) : to_string()));
  return std::get<std::int64_t>(key_);
}

std::string_view Key::text() const {
  return is_int() ? std::string_view() : std::string_view(text_of(std::get<Ref<detail::Box>>(key_)).text);
}

std::string Key::to_string() const { return is_int() ? std::to_string(as_int()) : std::string(text()); }

Value Key::value() const {
  if (is_int()) return as_int();
  if (is_string()) return text();
  return static_cast<const detail::OtherKey&>(*std::get<Ref<detail::Box>>(key_)).value;
}

bool operator==(const Key& a, const Key& b) {
  if (a.is_int() || b.is_int()) return a.is_int() && b.is_int() && a.as_int() == b.as_int();
  const auto &x = text_of(std::get<Ref<detail::Box>>(a.key_)), &y = text_of(std::get<Ref<detail::Box>>(b.key_));
  return x.kind == y.kind && x.text == y.text;
}

}  // namespace gradus::io
