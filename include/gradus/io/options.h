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
  // The most bytes that may be allocated for what the file describes, besides the bytes of the file itself. Unset: 16
  // times the size of the file plus 1 GB, which ordinary files never reach. A file that needs more is refused, so that
  // a small file cannot claim a large amount of memory.
  std::optional<std::uint64_t> memory = {};
  // If set, notes on what was not read are appended: bytes after the end of the file, members of archives, attributes
  // of tensors. `gradus ckpt show` prints the same notes.
  std::vector<std::string>* notes = nullptr;
};

}  // namespace gradus::io
