#include "training/document.h"

#include <gradus/core/error.h>
#include <gradus/training/checkpoint.h>

namespace gradus::training {

using io::Value;

Tensor Copier::copy(const Tensor& tensor) {
  const auto& storage = *tensor.impl()->storage;
  const auto bytes = static_cast<std::size_t>(tensor.numel() * tensor.element_size());
  if (!all_ && bytes == storage.nbytes) return tensor;
  for (auto [it, end] = copies_.equal_range(tensor.const_data_ptr()); it != end; ++it) {
    const auto& [old, made] = it->second;
    if (old.dtype() == tensor.dtype() && old.sizes() == tensor.sizes() && old.strides() == tensor.strides() &&
        old.requires_grad() == tensor.requires_grad()) {
      return made;
    }
  }
  const Tensor made = tensor.detach().clone().requires_grad_(tensor.requires_grad());
  if (tensor.numel() > 0) copies_.emplace(tensor.const_data_ptr(), std::pair(tensor, made));
  return made;
}

Value Copier::operator()(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Tensor:
      return copy(value.as_tensor());
    case Value::Kind::List:
    case Value::Kind::Tuple: {
      std::vector<Value> items;
      for (const Value& item : value.items()) items.push_back((*this)(item));
      return value.is(Value::Kind::List) ? Value::list(std::move(items)) : Value::tuple(std::move(items));
    }
    case Value::Kind::Dict: {
      Value dict = Value::dict();
      for (const auto& [key, item] : value.entries()) dict.set(key, (*this)(item));
      return dict;
    }
    default:
      return value;
  }
}

Value copied(const Value& value) { return Copier()(value); }

Value checked_document(const Value& value) {
  const auto is = [&](const char* key, Value::Kind kind) { return value.contains({key}) && value.at({key}).is(kind); };
  if (!value.is(Value::Kind::Dict) || !is("format", Value::Kind::String) || value.as_string({"format"}) != kFormat ||
      !is("format_version", Value::Kind::Int) || !is("library", Value::Kind::String)) {
    throw ValueError("not a checkpoint of training::Checkpoint; io::load reads other files");
  }
  const std::int64_t found = value.as_int({"format_version"});
  if (found < 1 || found > Checkpoint::kFormatVersion) {
    throw ValueError("a checkpoint of Gradus " + value.as_string({"library"}).substr(0, 40) + " in format " +
                     std::to_string(found) + "; this version reads formats up to " +
                     std::to_string(Checkpoint::kFormatVersion));
  }
  if (!is("parts", Value::Kind::Dict) || !value.contains({"options"}))
    throw ValueError("a checkpoint without its parts");
  return value;
}

}  // namespace gradus::training
