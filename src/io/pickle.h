// Reads Python pickles as far as checkpoints need them. Nothing is executed: a global that is not known is refused by
// name. The machine is CPython's (Lib/pickletools.py, protocols 2 to 5), without the opcodes that build other objects.
#pragma once

#include <gradus/io/value.h>

#include <variant>

#include "io/cursor.h"
#include "io/storage.h"

namespace gradus::io {

// A storage that a pickle refers to.
struct PickledStorage {
  StorageRef memory;
  std::string_view elements;   // as TorchStorage
  std::optional<Dtype> dtype;  // unset: tensors of it are refused by name
  bool big_endian = false;
  std::int64_t start = 0;  // in elements, where it is a part of `memory`
  std::int64_t size = 0;   // in elements
};

// What a pickle's persistent ids stand for.
class PickleHost {
 public:
  virtual ~PickleHost() = default;
  virtual std::variant<PickledStorage, Tensor> persistent(const Value& id) = 0;
  // Told of every tensor that was made over a storage, and where it begins in it, in bytes.
  virtual void made(const Tensor& tensor, std::int64_t offset);
};

// Reads one pickle at the cursor, which then stands behind it. OrderedDicts and Counters become dicts, torch.Size a
// tuple, dtypes ("torch.float32"), storage types and devices strings, Parameters tensors that require a gradient.
Value read_pickle(Source& source, Cursor& at, PickleHost* host);

}  // namespace gradus::io
