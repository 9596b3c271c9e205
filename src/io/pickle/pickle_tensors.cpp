// Tensors as PyTorch's pickles describe them.
#include "io/pickle/pickle_calls.h"

namespace gradus::io {

namespace {

// Marks of conjugated and negated views: the data is not what the tensor holds then.
bool has_marks(const Value& metadata) {
  return !metadata.is_none() && !(metadata.is(Value::Kind::Dict) && metadata.size() == 0);
}

// Storages of bytes get a type by their tensors: the storage as elements of `type`. Its memory is null where that
// cannot be.
PickledStorage typed(PickleContext& context, const PickledStorage& bytes, const ElementType& type) {
  PickledStorage result{{}, &type, false, bytes.start / type.size, bytes.size / type.size};
  if (bytes.memory == nullptr || !type.dtype || bytes.start % type.size != 0 || type.dtype == kBool) return result;
  if (type.convert == nullptr && (!bytes.big_endian || type.size == 1)) {
    result.memory = bytes.memory;
    return result;
  }
  if (bytes.memory->data == nullptr && bytes.memory->nbytes > 0) return result;  // not read yet
  const auto [known, added] = context.converted.try_emplace({bytes.memory.get(), &type});
  if (added) {
    context.source.budget().charge(128);
    const std::string_view all(static_cast<const char*>(bytes.memory->data), bytes.memory->nbytes);
    known->second = copied_storage(context.source, all, type, bytes.big_endian);
  }
  result.memory = known->second;
  return result;
}

}  // namespace

std::optional<Value> rebuild_tensor(PickleContext& context, int version, const Value::Items& args) {
  const std::size_t least = version == 1 ? 4 : version == 2 ? 6 : 7, most = version == 1 ? 4 : least + 1;
  if (args.size() < least || args.size() > most || !args[1].is(Value::Kind::Int)) return std::nullopt;
  const PickledStorage* storage = storage_in(args[0]);
  const auto sizes = integers_in(args[2]), strides = integers_in(args[3]);
  if (storage == nullptr || !sizes || !strides) return std::nullopt;
  if (version > 1 && !args[4].is(Value::Kind::Bool)) return std::nullopt;
  const ElementType* type = storage->type;
  if (version == 3) {
    type = args[6].is(Value::Kind::String) && args[6].size() <= 100 ? torch_type(args[6].as_string()) : nullptr;
    if (type == nullptr || (!storage->type->is_untyped() && storage->type != type)) return std::nullopt;
  }
  const PickledStorage elements =
      storage->type->is_untyped() && version == 3 ? typed(context, *storage, *type) : *storage;
  context.source.budget().charge(sizeof(Value) * 8);
  if (elements.memory == nullptr || (args.size() > least && has_marks(args[least]))) {
    return unknown_tensor(type->torch, *sizes);
  }
  Tensor tensor = storage_tensor(context.source, elements.memory, *type->dtype, *sizes, *strides, args[1].as_int(),
                                 elements.start, elements.size);
  if (version > 1 && args[4].as_bool() && tensor.is_floating_point()) tensor.requires_grad_();
  return tensor;
}

void remark_attributes(PickleContext& context, const Tensor& tensor, const Value& state) {
  constexpr std::size_t kLongest = 200;
  if (state.is(Value::Kind::Tuple)) {
    for (const Value& part : state.items())
      if (part.is(Value::Kind::Dict)) remark_attributes(context, tensor, part);
    return;
  }
  if (!state.is(Value::Kind::Dict) || state.size() == 0) return;
  std::string names;
  for (const auto& [key, value] : state.entries()) {
    if (names.size() > kLongest) break;
    names.append(names.empty() ? "" : ", ").append(key.is_string() ? key.to_string().substr(0, kLongest) : "...");
  }
  auto& all = context.source.remarks().attributes;
  context.source.budget().grow(all);
  context.charge_text(names.size());
  all.emplace_back(tensor, std::move(names));
}

std::optional<Value> rebuild_parameter(PickleContext& context, const Value::Items& args) {
  const bool fits = args.size() > 0 && args.size() <= 4 && args[0].is(Value::Kind::Tensor) &&
                    (args.size() < 2 || args[1].is(Value::Kind::Bool));
  if (!fits) return std::nullopt;
  Tensor tensor = args[0].as_tensor();
  const bool requires_grad = args.size() < 2 || args[1].as_bool();
  tensor.requires_grad_(requires_grad && tensor.is_floating_point());
  if (args.size() == 4) remark_attributes(context, tensor, args[3]);
  return tensor;
}

}  // namespace gradus::io
