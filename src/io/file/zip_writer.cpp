#include "io/file/zip_writer.h"

#include <algorithm>
#include <future>

#include "gradus/core/error.h"
#include "io/file/zip.h"
#include "io/file/zip_format.h"

namespace gradus::io {

namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kStreamedSize = std::uint64_t{1} << 20;
constexpr std::uint16_t kPaddingExtra = 0x4246;  // "FB": the extra field that PyTorch pads with
constexpr std::uint16_t kVersion = 20, kVersion64 = 45;
constexpr std::uint16_t kDate = 0x0021;  // 1980-01-01: the same input makes the same bytes

class Fields {
 public:
  Fields& text(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  Fields& u16(std::uint64_t x) { return number(x, 2); }
  Fields& u32(std::uint64_t x) { return number(x, 4); }
  Fields& u64(std::uint64_t x) { return number(x, 8); }
  const std::string& bytes() const { return bytes_; }

 private:
  Fields& number(std::uint64_t x, int size) {
    for (int i = 0; i < size; ++i) bytes_ += static_cast<char>(x >> (8 * i) & 0xff);
    return *this;
  }
  std::string bytes_;
};

std::uint16_t flags(bool streamed) { return static_cast<std::uint16_t>(zip::kUtf8 | (streamed ? zip::kStreamed : 0)); }

std::uint64_t low32(std::uint64_t x) { return std::min<std::uint64_t>(x, zip::kMax32); }

}  // namespace

void ZipWriter::write(std::string_view bytes) {
  file_.write(bytes);
  at_ += bytes.size();
}

void ZipWriter::add(std::string_view name, std::initializer_list<std::string_view> content) {
  if (name.size() > zip::kMax16 / 2) throw ValueError("save: a name of more than 32767 bytes in a zip archive");
  Entry entry{std::string(name), 0, 0, at_};
  for (const std::string_view piece : content) entry.size += piece.size();
  const bool large = entry.size >= zip::kMax32;
  // The checksum of much data is computed while the data is written, and follows it.
  const bool streamed = entry.size >= kStreamedSize;
  auto crc = std::async(streamed ? std::launch::async : std::launch::deferred, [&] { return checksum(content); });
  if (!streamed) entry.crc = crc.get();

  Fields extra;
  if (large) extra.u16(zip::kZip64Extra).u16(16).u64(0).u64(0);
  // The padding needs 4 bytes for its own name and size.
  const std::uint64_t start = at_ + zip::kLocalSize + name.size() + extra.bytes().size() + 4;
  const std::uint64_t padding = (kAlignment - start % kAlignment) % kAlignment;
  extra.u16(kPaddingExtra).u16(padding).text(std::string(padding, '\0'));
  const std::uint64_t local_size = large ? zip::kMax32 : streamed ? 0 : entry.size;
  Fields header;
  header.text(zip::kLocalSignature).u16(large ? kVersion64 : kVersion).u16(flags(streamed)).u16(zip::kStored);
  header.u16(0).u16(kDate).u32(entry.crc).u32(local_size).u32(local_size);
  header.u16(name.size()).u16(extra.bytes().size()).text(name).text(extra.bytes());
  write(header.bytes());
  for (const std::string_view piece : content) write(piece);
  if (streamed) {
    entry.crc = crc.get();
    Fields descriptor;
    descriptor.text(zip::kDescriptorSignature).u32(entry.crc);
    if (large) {
      descriptor.u64(entry.size).u64(entry.size);
    } else {
      descriptor.u32(entry.size).u32(entry.size);
    }
    write(descriptor.bytes());
  }
  entries_.push_back(std::move(entry));
}

void ZipWriter::finish() {
  const std::uint64_t directory = at_;
  for (const Entry& entry : entries_) {
    Fields extra;
    if (entry.size >= zip::kMax32) extra.u64(entry.size).u64(entry.size);
    if (entry.header >= zip::kMax32) extra.u64(entry.header);
    const std::size_t extra_size = extra.bytes().empty() ? 0 : extra.bytes().size() + 4;
    const std::uint16_t version = extra_size != 0 ? kVersion64 : kVersion;
    Fields record;
    record.text(zip::kCentralSignature).u16(version).u16(version);
    record.u16(flags(entry.size >= kStreamedSize)).u16(zip::kStored);
    record.u16(0).u16(kDate).u32(entry.crc).u32(low32(entry.size)).u32(low32(entry.size));
    record.u16(entry.name.size()).u16(extra_size).u16(0).u16(0).u16(0).u32(0).u32(low32(entry.header));
    record.text(entry.name);
    if (extra_size != 0) record.u16(zip::kZip64Extra).u16(extra.bytes().size()).text(extra.bytes());
    write(record.bytes());
  }
  const std::uint64_t size = at_ - directory, count = entries_.size();
  Fields end;
  if (count >= zip::kMax16 || size >= zip::kMax32 || directory >= zip::kMax32) {
    const std::uint64_t end64 = at_;
    end.text(zip::kEnd64Signature).u64(44).u16(kVersion64).u16(kVersion64).u32(0).u32(0);
    end.u64(count).u64(count).u64(size).u64(directory);
    end.text(zip::kLocatorSignature).u32(0).u64(end64).u32(1);
  }
  const std::uint64_t short_count = std::min<std::uint64_t>(count, zip::kMax16);
  end.text(zip::kEndSignature).u16(0).u16(0).u16(short_count).u16(short_count);
  end.u32(low32(size)).u32(low32(directory)).u16(0);
  write(end.bytes());
}

}  // namespace gradus::io
