// gradus ckpt: looks at checkpoint files, compares and converts them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gradus::cli {

// What a file holds: names, sizes, types, bytes, metadata. The data is not read. Here as below, `memory` is how many MB
// the description of a file may need; 0: by its size.
int ckpt_show(const std::string& path, std::int64_t memory);

struct CkptDiffOptions {
  std::string a, b;
  std::int64_t memory = 0;
  std::vector<std::string> rename;  // "PATTERN=REPLACEMENT" for names of a
};
// 0 if both hold the same, 1 if not.
int ckpt_diff(const CkptDiffOptions& options);

struct CkptConvertOptions {
  std::string in, out;
  std::string at;  // "state_dict": the part to take, as ckpt_show names it
  std::int64_t memory = 0;
  std::vector<std::string> rename;
  std::string dtype;  // for floating-point tensors
};
int ckpt_convert(const CkptConvertOptions& options);

// Reads everything, and compares checksums where the format has them.
int ckpt_verify(const std::string& path, std::int64_t memory);

}  // namespace gradus::cli
