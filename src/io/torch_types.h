// PyTorch's names for element types and storages.
#pragma once

#include <gradus/dtype.h>

#include <optional>
#include <string>
#include <string_view>

namespace gradus::io {

// A name as pickles have it, "torch.FloatStorage" or "torch.cuda.FloatStorage": which elements it holds.
struct TorchStorage {
  std::string_view elements;   // PyTorch's name of their type: "float32", "float16"; "" for untyped bytes
  std::optional<Dtype> dtype;  // unset where we have no such type
  std::int64_t element_size = 1;
};
// Nothing for a name that is no storage.
std::optional<TorchStorage> torch_storage(std::string_view name);

// "FloatStorage" for float32, ...
std::string_view torch_storage_name(Dtype dtype);

// Whether "torch.float32" is the name of an element type of PyTorch's, and which of ours.
bool is_torch_dtype(std::string_view name);
std::optional<Dtype> torch_dtype(std::string_view name);

}  // namespace gradus::io
