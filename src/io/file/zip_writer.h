// Writes zip archives of stored entries whose bytes begin at multiples of 64, so that readers can map them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "io/file/atomic_file.h"

namespace gradus::io {

class ZipWriter {
 public:
  explicit ZipWriter(AtomicFile& file) : file_(file) {}

  // The content may come in pieces. Names must differ; the caller's to see to.
  void add(std::string_view name, std::initializer_list<std::string_view> content);
  void add(std::string_view name, std::string_view content) { add(name, {content}); }
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint32_t crc;
    std::uint64_t size, header;
  };
  void write(std::string_view bytes);

  AtomicFile& file_;
  std::uint64_t at_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace gradus::io
