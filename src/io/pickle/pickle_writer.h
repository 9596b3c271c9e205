// Writes values as Python pickles.
#pragma once

#include <gradus/io/value.h>

#include <string>
#include <vector>

#include "io/file/storage.h"

namespace gradus::io {

struct WrittenPickle {
  std::string bytes;
  std::vector<StorageRef> storages;  // storage i is what the pickle refers to as 'i'
};

// Protocol 2, with the opcodes and globals that torch.load(weights_only=True) knows. ValueError for tensors that share
// memory but not the type, and for objects other than sets, complex numbers and large integers.
bool is_written(const Value& object);
WrittenPickle write_pickle(const Value& value);

}  // namespace gradus::io
