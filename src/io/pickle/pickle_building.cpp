#include "io/pickle/pickle_building.h"

#include <fmt/format.h>

namespace gradus::io {

namespace {

void add_entries(PickleContext& context, Value& dict, const Value& from) {
  if (!from.is(Value::Kind::Dict)) return;
  context.source.budget().charge(from.size() * 3 * (sizeof(Value::Entry) + 12));
  for (const auto& [key, value] : from.entries())
    if (!dict.contains({key})) dict.set(key, value);
}

bool is_pair_of_states(const Value& state) {
  if (!state.is(Value::Kind::Tuple) || state.size() != 2) return false;
  const auto fits = [&](std::size_t i) { return state.at({i}).is_none() || state.at({i}).is(Value::Kind::Dict); };
  return fits(0) && fits(1);
}

// Attributes and entries are one dict. Where an object has arguments or items beside them, these get names.
Value content_of(PickleContext& context, const Building& object) {
  // Objects with __slots__ have two dicts of attributes.
  const bool two = is_pair_of_states(object.state);
  const Value first = two ? object.state.at({0}) : object.state, second = two ? object.state.at({1}) : Value();
  const int dicts = !object.dict.is_none() + first.is(Value::Kind::Dict) + second.is(Value::Kind::Dict);
  const bool has_args = !object.args.is_none() && object.args.size() > 0, has_list = !object.list.is_none();
  const bool has_state = !first.is_none() && !first.is(Value::Kind::Dict);
  if (dicts + has_args + has_list + has_state == 0) return {};
  if (dicts + has_args + has_list + has_state == 1) {
    if (has_args) return object.args;
    if (has_list) return object.list;
    return !object.dict.is_none() ? object.dict : second.is(Value::Kind::Dict) ? second : first;
  }
  Value dict = Value::dict();
  context.source.budget().charge(sizeof(detail::Table) + 32 + 4 * (sizeof(Value::Entry) + sizeof(detail::Text) + 64));
  add_entries(context, dict, object.dict);
  add_entries(context, dict, first);
  add_entries(context, dict, second);
  if (has_args) dict.set("__args__", object.args);
  if (has_list) dict.set("__items__", object.list);
  if (has_state) dict.set("__state__", object.state);
  return dict;
}

// Whether Python compares it by what it holds, and its text is short. Counts down what is left of the length.
bool prints_short(const Value& value, std::size_t& left) {
  constexpr std::size_t kPart = 24;
  const bool text = value.is(Value::Kind::String) || value.is(Value::Kind::Bytes);
  const std::size_t length = kPart + (text ? 4 * value.size() : 0);
  if (length > left) return false;
  left -= length;
  switch (value.kind()) {
    case Value::Kind::Tensor:
    case Value::Kind::List:
    case Value::Kind::Dict:
    case Value::Kind::Object:
      return false;
    case Value::Kind::Tuple:
      for (const Value& item : value.items())
        if (!prints_short(item, left)) return false;
      return true;
    default:
      return true;
  }
}

}  // namespace

Value cut_off(std::string_view type) { return Value::object(type, "..."); }

Value finished(PickleContext& context, const Building& building) {
  switch (building.kind) {
    case Building::Kind::List:
      return building.list;
    case Building::Kind::Dict:
      return building.dict;
    case Building::Kind::Set:
      return Value::object(building.type, building.list);
    case Building::Kind::Object:
      break;
  }
  if (building.type == "numpy.core.multiarray._reconstruct") {
    if (auto array = numpy_array(context, building.state)) return std::move(*array);
  }
  // Tensors of PyTorch before 0.2: a class and what its __setstate__ takes.
  if (building.type.starts_with("torch.") && building.type.ends_with("Tensor") &&
      building.state.is(Value::Kind::Tuple)) {
    if (auto tensor = rebuild_tensor(context, 1, building.state.items())) return std::move(*tensor);
  }
  context.charge_text(building.type.size() + sizeof(detail::Opaque));
  const Value content = content_of(context, building);
  // A module of TorchScript or LibTorch is its attributes.
  if (building.type.starts_with("__torch__.")) {
    if (content.is_none()) return Value::dict();
    if (content.is(Value::Kind::Dict)) return content;
  }
  return content.depth() + 1 > Value::kMaxDepth ? cut_off(building.type) : Value::object(building.type, content);
}

Key pickled_key(PickleContext& context, const Value& value, std::size_t entries) {
  constexpr std::size_t kLongest = 10'000;
  if (value.is(Value::Kind::Int)) return value.as_int();
  context.charge_text(sizeof(detail::OtherKey));
  if (value.is(Value::Kind::String)) {
    context.charge_text(value.size());
    return value.as_string();
  }
  std::size_t left = kLongest;
  if (prints_short(value, left)) {
    context.charge_text(kLongest - left);
    return Key::of(value);
  }
  const std::string name = value.is(Value::Kind::Object) ? value.type_name() : to_string(value.kind());
  context.charge_text(name.size() + 32);
  return detail::Access::key(make_ref<detail::OtherKey>(value, fmt::format("<{} {}>", name, entries)));
}

}  // namespace gradus::io
