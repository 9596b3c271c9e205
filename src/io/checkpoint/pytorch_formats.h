// The formats that torch.save has had.
#pragma once

#include <gradus/io/value.h>

#include "io/file/zip.h"
#include "io/pickle/pickle.h"

namespace gradus::io {

bool is_pytorch_legacy(std::string_view file);
bool is_tar(std::string_view file);

// TorchScript (torch.jit.save) and LibTorch (torch::save) are archives of objects: each is read as the dict of its
// attributes, and the program beside them is left alone.
bool is_torch_script(const Zip& zip);
Value read_pytorch_zip(const Zip& zip);
Value read_pytorch_legacy(const std::shared_ptr<Source>& source);
Value read_pytorch_tar(const std::shared_ptr<Source>& source);

// The persistent id of a storage: ('storage', type, key, location, size[, view]).
struct StorageId {
  std::string type_name;
  const ElementType* type = nullptr;
  std::string key;
  std::int64_t size = 0;    // in elements
  std::int64_t nbytes = 0;  // size in bytes, checked for overflow
  Value view;               // None, or (key, offset, size) of a part
};
// `fields` is how many it must have; keys may be numbers. IoError.
StorageId parse_storage_id(const Source& source, const Value& id, std::size_t fields);

}  // namespace gradus::io
