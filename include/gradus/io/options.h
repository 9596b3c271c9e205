// How files are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradus::io {

struct LoadOptions {
  // Tensors borrow the mapped file: loading takes milliseconds, data is read when it is touched, and writing into a
  // loaded tensor changes neither the file nor other readers. The file must not be truncated or written in place by
  // others meanwhile (files that this library writes are replaced whole, which is safe). With false the file is read.
  bool mmap = true;
  // Compare checksums where the format has them (zip archives), which reads all data.
  bool verify = false;
  // Most bytes for what the file describes, beside its own bytes. Unset: 16 times the file and 1 GB, which ordinary
  // files never reach. More is refused, so that a small file cannot claim a large memory.
  std::optional<std::uint64_t> memory = {};
  // Where set, what is to be said beside the values is appended: bytes after the end of the file, members of archives
  // and attributes of tensors that are not read. `gradus ckpt show` prints the same.
  std::vector<std::string>* notes = nullptr;
};

}  // namespace gradus::io
