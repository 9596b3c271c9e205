// Zip archives, read in place. Our own reader, as no packaged library tells where a stored entry's bytes lie in the
// file, which borrowing them needs.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/file/source.h"

namespace gradus::io {

// The CRC-32 of the pieces, one after the other.
std::uint32_t checksum(std::initializer_list<std::string_view> content);

struct ZipEntry {
  enum class Method { Stored, Deflated };
  std::string_view name;  // in the archive's memory
  Method method = Method::Stored;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0;  // bytes in the file
  std::uint64_t size = 0;    // bytes of content
  std::uint64_t header = 0;  // where its local header begins
  std::uint64_t offset = 0;  // where its bytes begin
};

// Every record is checked when the archive is opened: that it lies in the file, agrees with its local header, overlaps
// no other, and has a name of its own. IoError.
class Zip {
 public:
  explicit Zip(std::shared_ptr<Source> source);

  const std::vector<ZipEntry>& entries() const { return entries_; }  // in the order of their names
  const ZipEntry* find(std::string_view name) const;
  const std::shared_ptr<Source>& source() const { return source_; }

  // Bytes of a stored entry.
  std::string_view stored(const ZipEntry& entry) const;
  // The content of a deflated one, in memory of its own. Its checksum is checked.
  std::shared_ptr<Source> inflated(const ZipEntry& entry) const;
  // False where all are 0, as PyTorch writes them with set_crc32_options(False).
  bool has_checksums() const;
  // Checks the checksums of all stored entries.
  void verify() const;
  // `what` is how an error calls the entry; by default 'NAME' in it.
  void check_crc(const ZipEntry& entry, std::string_view content, std::string what = "") const;

 private:
  struct Directory {
    std::uint64_t count, size, offset, end;
  };
  Directory find_directory() const;
  Directory read_directory_end(std::size_t found) const;
  void read_entry(class Cursor& at, std::uint64_t directory_offset);
  void read_local_header(ZipEntry& entry, bool streamed, std::uint64_t directory_offset) const;
  void check_overlaps();

  std::shared_ptr<Source> source_;
  std::vector<ZipEntry> entries_;
};

}  // namespace gradus::io
