// The functions that pickles call and that are known here. Each returns nothing for arguments that it does not take;
// then what it would have made stays an object with its name and its arguments.
#pragma once

#include <map>
#include <optional>

#include "io/pickle/pickle.h"
#include "io/value/value_boxes.h"

namespace gradus::io {

struct PickleContext {
  Source& source;
  const Cursor& at;  // for errors
  // Storages of bytes whose tensors are of a type that we lack, converted.
  std::map<std::pair<const void*, const ElementType*>, StorageRef> converted = {};

  // Counts a text or bytes of this size.
  void charge_text(std::size_t size) { source.budget().charge(size + sizeof(detail::Text) + 32); }
};

// A storage as a value: an object of its class.
struct StorageBox : detail::Opaque {
  PickledStorage storage;
  explicit StorageBox(PickledStorage s);
};
// Null for other values.
const PickledStorage* storage_in(const Value& value);

// A class or function itself, by its name.
Value global_value(std::string_view name);
std::string_view global_name(const Value& value);  // "" for other values

// At most 64 integers of a tuple or list.
std::optional<std::vector<std::int64_t>> integers_in(const Value& value);

// What a call returns, for functions that return a finished value.
std::optional<Value> call_known(PickleContext& context, std::string_view name, const Value::Items& args);

// (storage, offset, size, stride[, requires_grad, backward_hooks[, dtype (v3)][, metadata]])
std::optional<Value> rebuild_tensor(PickleContext& context, int version, const Value::Items& args);
// (data[, requires_grad[, backward_hooks[, attributes]]])
std::optional<Value> rebuild_parameter(PickleContext& context, const Value::Items& args);
// `state`: a dict of attributes, or two where the class has __slots__.
void remark_attributes(PickleContext& context, const Tensor& tensor, const Value& state);

// An array whose state is (version, shape, dtype, in Fortran's order, data).
std::optional<Value> numpy_array(PickleContext& context, const Value& state);
// (dtype, bytes)
std::optional<Value> numpy_scalar(PickleContext& context, const Value::Items& args);
// (bytes, dtype, shape, order)
std::optional<Value> numpy_from_buffer(PickleContext& context, const Value::Items& args);

}  // namespace gradus::io
