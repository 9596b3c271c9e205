// safetensors files: a JSON header, then tensors by name, and nothing else.
// Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <gradus/io/options.h>
#include <gradus/io/value.h>

#include <map>

namespace gradus::io {

struct Safetensors {
  Value tensors;  // a dict of tensors, in the header's order
  std::map<std::string, std::string> metadata;
};

// Every rule of the format is checked: the header's size (at most 100 MB), one entry per name, sizes that agree with
// the bytes, and no byte of data that belongs to no tensor or to two. IoError.
Safetensors load_safetensors(const std::string& path, const LoadOptions& options = {});

// `tensors` is a dict of tensors. Each is written in full: tied ones twice, views without the rest of their storage,
// as the format has no sharing. ValueError, before anything is written, for anything else.
void save_safetensors(const std::string& path, const Value& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace gradus::io
