// A file of any format that is known.
#pragma once

#include <gradus/io/value.h>

#include <map>
#include <memory>
#include <string>

#include "io/source.h"

namespace gradus::io {

struct LoadedFile {
  std::string format;  // in words: "PyTorch checkpoint"
  Value value;
  std::map<std::string, std::string> metadata = {};  // of safetensors
  bool has_checksums = false;
  Remarks remarks = {};
};
LoadedFile read_any(const std::shared_ptr<Source>& source);

}  // namespace gradus::io
