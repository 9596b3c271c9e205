// The element types that files have, and what they are read as.
#pragma once

#include <gradus/core/dtype.h>

#include <cstddef>
#include <optional>
#include <string_view>

namespace gradus::io {

struct ElementType {
  std::string_view torch;        // "uint16"; "" for a storage of bytes that is typed by its tensors
  std::string_view storage;      // "FloatStorage"; "" where PyTorch has no such class
  std::string_view safetensors;  // "U16"
  std::string_view numpy;        // "u2"
  std::int64_t size;             // bytes of an element in the file
  std::optional<Dtype> dtype;    // what it is read as; unset: not as a tensor
  // For a type that we lack, into one that holds its numbers: `count` little-endian elements. False where one does not
  // fit. Null where the bytes are the dtype's.
  bool (*convert)(const char* from, char* to, std::size_t count) = nullptr;

  bool is_untyped() const { return torch.empty(); }
  bool is_exact() const { return dtype && convert == nullptr && !is_untyped(); }
};

// Null for what is none. "torch.FloatStorage", "torch.cuda.FloatStorage"; "torch.float32"; "F32"; "f4".
const ElementType* torch_storage(std::string_view name);
const ElementType* torch_type(std::string_view name);
const ElementType* safetensors_type(std::string_view name);
const ElementType* numpy_type(std::string_view code);

// How a dtype of ours is written.
const ElementType& element_type(Dtype dtype);

}  // namespace gradus::io
