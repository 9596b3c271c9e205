// NumPy's arrays and scalars as pickles describe them.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "io/checkpoint/numpy.h"
#include "io/pickle/pickle_calls.h"
#include "io/pickle/pickle_text.h"

namespace gradus::io {

namespace {

// An object numpy.dtype, made by numpy.dtype('f8', False, True) and the state (3, '<', None, None, None, -1, -1, 0).
struct ArrayType {
  std::string code;  // "f8"
  bool big_endian = false;

  std::string name() const { return code + (big_endian ? ", big-endian" : ""); }
};
std::optional<ArrayType> array_type(const Value& value) {
  if (!value.is(Value::Kind::Object) || value.type_name() != "numpy.dtype") return std::nullopt;
  const bool built = value.contains({"__args__"});
  const Value args = built ? value.at({"__args__"}) : value.content();
  const auto is_short_text = [](const Value& x) { return x.is(Value::Kind::String) && x.size() <= 20; };
  if (!args.is(Value::Kind::Tuple) || args.size() == 0 || !is_short_text(args.at({0}))) return std::nullopt;
  ArrayType type{args.as_string({0}), false};
  if (!built) return type;
  const Value state = value.at({"__state__"});
  if (!state.is(Value::Kind::Tuple) || state.size() < 5 || !is_short_text(state.at({1}))) return std::nullopt;
  if (!state.at({3}).is_none()) type.code = "records";
  type.big_endian = state.as_string({1}) == ">";
  return type;
}

// Python 2 has no bytes but texts.
std::optional<std::string> raw(const Value& value) {
  if (value.is(Value::Kind::Bytes)) return value.as_bytes();
  if (value.is(Value::Kind::String)) return value.as_string();
  return std::nullopt;
}

std::optional<Value> array_of(PickleContext& context, const ArrayType& type, const std::vector<std::int64_t>& shape,
                              bool fortran, const Value& data) {
  Budget& budget = context.source.budget();
  budget.charge(sizeof(Value) * 8);
  const ElementType* elements = numpy_type(type.code);
  if (elements == nullptr || !elements->dtype) return unknown_array(type.name(), shape);
  budget.charge(data.is(Value::Kind::Bytes) || data.is(Value::Kind::String) ? data.size() : 0);
  const auto bytes = raw(data);
  std::int64_t count = 1;
  for (const std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return std::nullopt;
  if (!bytes || count != static_cast<std::int64_t>(bytes->size()) / elements->size ||
      bytes->size() % static_cast<std::size_t>(elements->size) != 0) {
    return std::nullopt;
  }
  budget.charge(sizeof(gradus::detail::Storage));
  const StorageRef storage = copied_storage(context.source, *bytes, *elements, type.big_endian);
  budget.refund(bytes->size());
  if (storage == nullptr) return unknown_array(type.name(), shape);
  return array_tensor(context.source, storage, *elements->dtype, shape, fortran);
}

template <class T>
T number(std::string_view bytes) {
  T x;
  std::memcpy(&x, bytes.data(), sizeof x);
  return x;
}

// UTF-32, padded with zeros.
std::optional<Value> text_of_utf32(std::string bytes, bool big_endian) {
  if (bytes.size() % 4 != 0) return std::nullopt;
  std::string escaped;
  for (std::size_t at = 0; at < bytes.size(); at += 4) {
    if (big_endian)
      std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                   bytes.begin() + static_cast<std::ptrdiff_t>(at) + 4);
    escaped += fmt::format("\\U{:08x}", number<std::uint32_t>(std::string_view(bytes).substr(at)));
  }
  auto text = unescaped_unicode(escaped);
  if (!text) return std::nullopt;
  while (text->ends_with('\0')) text->pop_back();
  return Value(*text);
}

}  // namespace

std::optional<Value> numpy_array(PickleContext& context, const Value& state) {
  if (!state.is(Value::Kind::Tuple) || state.size() != 5 || !state.at({3}).is(Value::Kind::Bool)) return std::nullopt;
  const auto shape = integers_in(state.at({1}));
  const auto type = array_type(state.at({2}));
  if (!shape || !type) return std::nullopt;
  if (!state.at({4}).is(Value::Kind::List)) return array_of(context, *type, *shape, state.as_bool({3}), state.at({4}));
  Value objects = unknown_array(type->name(), *shape).content();
  context.source.budget().charge(3 * sizeof(Value::Entry) + 200);
  objects.set("items", state.at({4}));
  return Value::object("numpy.ndarray", objects);
}

std::optional<Value> numpy_from_buffer(PickleContext& context, const Value::Items& args) {
  if (args.size() != 4 || !args[3].is(Value::Kind::String)) return std::nullopt;
  const auto type = array_type(args[1]);
  const auto shape = integers_in(args[2]);
  if (!type || !shape) return std::nullopt;
  return array_of(context, *type, *shape, args[3].size() == 1 && args[3].as_string() == "F", args[0]);
}

std::optional<Value> numpy_scalar(PickleContext& context, const Value::Items& args) {
  const auto type = args.size() == 2 ? array_type(args[0]) : std::nullopt;
  constexpr std::size_t kLongest = 1 << 16;
  if (!type || !(args[1].is(Value::Kind::Bytes) || args[1].is(Value::Kind::String)) || args[1].size() > kLongest) {
    return std::nullopt;
  }
  context.charge_text(4 * args[1].size());
  std::string bytes = *raw(args[1]);
  if (type->code.starts_with('U')) return text_of_utf32(std::move(bytes), type->big_endian);
  if (type->code.starts_with('S')) return Value::bytes(bytes);
  const std::string& code = type->code;
  if (code == "c8" || code == "c16") {
    const std::string part = code == "c8" ? "f4" : "f8";
    if (bytes.size() != (code == "c8" ? 8u : 16u)) return std::nullopt;
    const auto half = bytes.size() / 2;
    const auto component = [&](std::size_t at) -> Value {
      std::string x = bytes.substr(at, half);
      if (type->big_endian) std::reverse(x.begin(), x.end());
      return half == 4 ? static_cast<double>(number<float>(x)) : number<double>(x);
    };
    return Value::object("builtins.complex", Value::tuple({component(0), component(half)}));
  }
  const ElementType* elements = numpy_type(code);
  if (elements == nullptr || bytes.size() != static_cast<std::size_t>(elements->size)) return std::nullopt;
  if (type->big_endian) std::reverse(bytes.begin(), bytes.end());
  if (code == "b1") return Value(bytes[0] != '\0');
  if (code[0] == 'u') return integer_of_bytes(bytes + '\0');
  if (code[0] == 'i') return integer_of_bytes(bytes);
  if (code == "f8") return Value(number<double>(bytes));
  if (code == "f4") return Value(number<float>(bytes));
  if (code == "f2") return Value(static_cast<float>(number<Float16>(bytes)));
  return std::nullopt;
}

}  // namespace gradus::io
