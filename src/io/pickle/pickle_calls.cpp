#include "io/pickle/pickle_calls.h"

#include <gradus/detail/tensor_impl.h>

namespace gradus::io {

namespace {

constexpr std::size_t kMostDimensions = 64;  // PyTorch's

using Args = Value::Items;

bool is_text(const Value& value, std::string_view text) {
  return value.is(Value::Kind::String) && value.size() == text.size() && value.as_string() == text;
}

std::optional<Value> size(PickleContext& context, const Args& args) {
  const auto sizes = args.size() == 1 ? integers_in(args[0]) : std::nullopt;
  if (!sizes) return std::nullopt;
  context.source.budget().charge(sizes->size() * sizeof(Value) + sizeof(detail::Sequence) + 32);
  return Value::tuple({sizes->begin(), sizes->end()});
}

// ("cuda", 1): "cuda:1".
std::optional<Value> device(PickleContext& context, const Args& args) {
  const bool fits = args.size() > 0 && args.size() <= 2 && args[0].is(Value::Kind::String) &&
                    (args.size() < 2 || args[1].is(Value::Kind::Int));
  if (!fits) return std::nullopt;
  context.charge_text(args[0].size() + 24);
  std::string text = args[0].as_string();
  if (args.size() == 2) text.append(":").append(std::to_string(args[1].as_int()));
  return text;
}

std::optional<std::string> latin1(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      bytes += text[i];
    } else if ((c == 0xc2 || c == 0xc3) && i + 1 < text.size() &&
               (static_cast<unsigned char>(text[i + 1]) & 0xc0) == 0x80) {
      bytes += static_cast<char>((c & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

// Protocol 2 has no bytes: they stand as text in which each character is a byte.
std::optional<Value> encode(PickleContext& context, const Args& args) {
  const bool fits = args.size() == 2 && args[0].is(Value::Kind::String) &&
                    (is_text(args[1], "latin1") || is_text(args[1], "latin-1"));
  if (!fits) return std::nullopt;
  context.charge_text(args[0].size());
  const auto bytes = latin1(args[0].as_string());
  return bytes ? std::optional(Value::bytes(*bytes)) : std::nullopt;
}

std::optional<Value> byte_array(PickleContext& context, const Args& args) {
  if (args.size() == 0) return Value::bytes("");
  if (args.size() == 1 && args[0].is(Value::Kind::Bytes)) return args[0];
  return encode(context, args);
}

template <int version>
std::optional<Value> tensor(PickleContext& context, const Args& args) {
  return rebuild_tensor(context, version, args);
}

std::optional<Value> parameter(PickleContext& context, const Args& args) { return rebuild_parameter(context, args); }

// (function, type, its arguments, attributes): a tensor with attributes, or of a class of its own.
std::optional<Value> tensor_with_attributes(PickleContext& context, const Args& args) {
  if (args.size() != 4 || !args[2].is(Value::Kind::Tuple)) return std::nullopt;
  const std::string_view function = global_name(args[0]);
  if (!function.starts_with("torch._utils._rebuild_")) return std::nullopt;
  auto known = call_known(context, function, args[2].items());
  if (known && known->is(Value::Kind::Tensor)) remark_attributes(context, known->as_tensor(), args[3]);
  return known;
}

// (array, dtype, device, requires_grad), of devices whose tensors are saved through NumPy or the CPU.
std::optional<Value> device_tensor(PickleContext&, const Args& args) {
  if (args.size() != 4 || !args[0].is(Value::Kind::Tensor) || !args[3].is(Value::Kind::Bool)) return std::nullopt;
  Tensor tensor = args[0].as_tensor();
  if (!is_text(args[1], std::string("torch.") + to_string(tensor.dtype()))) return std::nullopt;
  if (args[3].as_bool() && is_floating_point(tensor.dtype())) tensor.requires_grad_();
  return tensor;
}

// TorchScript marks its lists and dicts with their types.
std::optional<Value> without_type(PickleContext&, const Args& args) {
  return args.size() == 0 ? std::nullopt : std::optional(args[0]);
}

struct Known {
  std::string_view name;
  std::optional<Value> (*call)(PickleContext&, const Args&);
};
constexpr Known kKnown[] = {
    {"torch._utils._rebuild_tensor_v2", tensor<2>},
    {"torch._utils._rebuild_parameter", parameter},
    {"torch._utils._rebuild_tensor", tensor<1>},
    {"torch._utils._rebuild_tensor_v3", tensor<3>},
    {"torch._utils._rebuild_parameter_with_state", parameter},
    {"torch.nn.parameter.Parameter", parameter},
    {"torch._tensor._rebuild_from_type_v2", tensor_with_attributes},
    {"torch._utils._rebuild_device_tensor_from_numpy", device_tensor},
    {"torch._utils._rebuild_device_tensor_from_cpu_tensor", device_tensor},
    {"torch.Size", size},
    {"torch.device", device},
    {"_codecs.encode", encode},
    {"builtins.bytearray", byte_array},
    {"builtins.bytes", byte_array},
    {"torch.jit._pickle.build_intlist", without_type},
    {"torch.jit._pickle.build_doublelist", without_type},
    {"torch.jit._pickle.build_boollist", without_type},
    {"torch.jit._pickle.build_tensorlist", without_type},
    {"torch.jit._pickle.restore_type_tag", without_type},
    {"numpy.core.multiarray.scalar", numpy_scalar},
    {"numpy.core.numeric._frombuffer", numpy_from_buffer},
};

constexpr std::string_view kGlobal = "global";

}  // namespace

StorageBox::StorageBox(PickledStorage s) : Opaque("torch.Storage", {}), storage(std::move(s)) {}

const PickledStorage* storage_in(const Value& value) {
  if (!value.is(Value::Kind::Object)) return nullptr;
  const auto* box = dynamic_cast<const StorageBox*>(detail::Access::box(value));
  return box == nullptr ? nullptr : &box->storage;
}

Value global_value(std::string_view name) { return Value::object(kGlobal, name); }

std::string_view global_name(const Value& value) {
  if (!value.is(Value::Kind::Object)) return {};
  const auto& object = static_cast<const detail::Opaque&>(*detail::Access::box(value));
  if (object.type != kGlobal || !object.content.is(Value::Kind::String)) return {};
  return static_cast<const detail::Text&>(*detail::Access::box(object.content)).text;
}

std::optional<std::vector<std::int64_t>> integers_in(const Value& value) {
  const bool sequence = value.is(Value::Kind::Tuple) || value.is(Value::Kind::List);
  if (!sequence || value.size() > kMostDimensions) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const Value& number : value.items()) {
    if (!number.is(Value::Kind::Int)) return std::nullopt;
    numbers.push_back(number.as_int());
  }
  return numbers;
}

std::optional<Value> call_known(PickleContext& context, std::string_view name, const Args& args) {
  for (const Known& known : kKnown)
    if (known.name == name) return known.call(context, args);
  return std::nullopt;
}

}  // namespace gradus::io
