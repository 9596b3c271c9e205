// A file of any format that is known, or a folder of such files.
#pragma once

#include <gradus/io/value.h>

#include <map>
#include <memory>
#include <string>

#include "io/file/source.h"

namespace gradus::io {

struct LoadedFile {
  std::string format;  // in words: "PyTorch checkpoint"
  Value value;
  std::map<std::string, std::string> metadata = {};  // of safetensors
  bool has_checksums = false;
  Remarks remarks = {};
  bool nested_names = false;  // TorchScript: a tensor's name is its whole path
  std::uint64_t bytes = 0;    // of all files
};
LoadedFile read_any(const std::shared_ptr<Source>& source);

// What there is to say of what was read from the source, put where LoadOptions::notes asks for it, too.
Remarks remarks_of(Source& source, const Value& value);

// `path` may also be a folder or an index of several files ("model.safetensors.index.json"), see shards.h.
LoadedFile read_path(const std::string& path, const LoadOptions& options);

}  // namespace gradus::io
