// The format: PKWARE's APPNOTE.TXT 6.3.
#include "io/file/zip.h"

#include <zlib.h>

#include <algorithm>

#include "io/file/cursor.h"
#include "io/file/zip_format.h"

namespace gradus::io {

namespace {

// The 64-bit values that stand in the extra field for those that are all ones in a header.
void read_zip64(const Source& source, std::string_view extra, std::initializer_list<std::uint64_t*> fields) {
  const auto begin = static_cast<std::size_t>(extra.data() - source.data());
  Cursor at(source, "an extra field of the zip directory", begin, begin + extra.size());
  while (at.left() >= 4) {
    const auto id = at.number<std::uint16_t>();
    const auto size = at.number<std::uint16_t>();
    const std::size_t end = at.position() + size;
    if (id != zip::kZip64Extra) {
      at.take(size);
      continue;
    }
    for (std::uint64_t* field : fields)
      if (*field == zip::kMax32) *field = at.number<std::uint64_t>();
    if (at.position() > end) at.fail("is too short for what it must hold");
    return;
  }
}

}  // namespace

std::uint32_t checksum(std::initializer_list<std::string_view> content) {
  uLong crc = crc32_z(0, nullptr, 0);
  // An empty piece may have no address, and zlib begins anew at a null one.
  for (const std::string_view piece : content)
    if (!piece.empty()) crc = crc32_z(crc, reinterpret_cast<const Bytef*>(piece.data()), piece.size());
  return static_cast<std::uint32_t>(crc);
}

Zip::Zip(std::shared_ptr<Source> source) : source_(std::move(source)) {
  const Directory directory = find_directory();
  Cursor at(*source_, "the zip directory", directory.offset, directory.offset + directory.size);
  for (std::uint64_t i = 0; i < directory.count; ++i) read_entry(at, directory.offset);
  if (at.left() != 0) at.fail("holds more than its entries");
  check_overlaps();
}

// A comment of up to 65535 bytes may follow the record; readers in Python take it for the end although other bytes
// follow too. Then the directory must lie directly before it, so that no end of an archive within the archive is taken
// for it.
Zip::Directory Zip::find_directory() const {
  const std::string_view file = source_->bytes();
  const std::size_t first = file.size() > zip::kEndSize + 0xffff ? file.size() - zip::kEndSize - 0xffff : 0;
  std::size_t other = file.npos;
  for (std::size_t at = file.size(); at-- > first;) {
    if (file.substr(at, 4) != zip::kEndSignature || file.size() - at < zip::kEndSize) continue;
    const auto comment = Cursor(*source_, "the zip directory", at + 20, file.size()).number<std::uint16_t>();
    const std::size_t after = file.size() - at - zip::kEndSize;
    if (comment == after) return read_directory_end(at);
    if (comment < after && other == file.npos) other = at;
  }
  if (other == file.npos) source_->fail("a damaged zip archive: it has no directory at its end (cut short?)");
  const Directory directory = read_directory_end(other);
  if (directory.offset + directory.size != directory.end) {
    source_->fail("a damaged zip archive: it has no directory at its end (cut short?)");
  }
  source_->remark_rest(file.size() - other - zip::kEndSize);
  return directory;
}

Zip::Directory Zip::read_directory_end(std::size_t found) const {
  const std::string_view file = source_->bytes();
  Cursor end(*source_, "the zip directory", found + 4, file.size());
  const auto disk = end.number<std::uint16_t>(), directory_disk = end.number<std::uint16_t>();
  const auto count_here = end.number<std::uint16_t>();
  Directory directory{end.number<std::uint16_t>(), end.number<std::uint32_t>(), end.number<std::uint32_t>(), found};
  std::uint64_t disks = disk | directory_disk, here = count_here;
  if (found >= zip::kLocatorSize && file.substr(found - zip::kLocatorSize, 4) == zip::kLocatorSignature) {
    Cursor locator(*source_, "the zip64 locator", found - zip::kLocatorSize + 4, found);
    locator.take(4);
    const auto position = locator.number<std::uint64_t>();
    const std::size_t limit = found - zip::kLocatorSize;
    if (position > limit) locator.fail("points beyond the file");
    Cursor end64(*source_, "the zip64 directory", position, limit);
    if (end64.take(4) != zip::kEnd64Signature) end64.fail("is not where its locator points");
    end64.take(8 + 2 + 2);
    disks = end64.number<std::uint32_t>();
    disks |= end64.number<std::uint32_t>();
    here = end64.number<std::uint64_t>();
    directory.count = end64.number<std::uint64_t>();
    directory.size = end64.number<std::uint64_t>();
    directory.offset = end64.number<std::uint64_t>();
    directory.end = position;
  }
  if (disks != 0 || here != directory.count) source_->fail("the zip archive is split over several files");
  if (directory.offset > directory.end || directory.size > directory.end - directory.offset) {
    source_->fail("the zip directory points beyond the file");
  }
  return directory;
}

void Zip::read_entry(Cursor& at, std::uint64_t directory_offset) {
  if (at.take(4) != zip::kCentralSignature) at.fail("has a damaged entry");
  at.take(2 + 2);
  const auto flags = at.number<std::uint16_t>(), method = at.number<std::uint16_t>();
  at.take(4);
  ZipEntry entry;
  entry.crc = at.number<std::uint32_t>();
  entry.packed = at.number<std::uint32_t>();
  entry.size = at.number<std::uint32_t>();
  const auto name_size = at.number<std::uint16_t>(), extra_size = at.number<std::uint16_t>();
  const auto comment_size = at.number<std::uint16_t>(), disk = at.number<std::uint16_t>();
  at.take(2 + 4);
  entry.header = at.number<std::uint32_t>();
  entry.name = at.take(name_size);
  read_zip64(*source_, at.take(extra_size), {&entry.size, &entry.packed, &entry.header});
  at.take(comment_size);
  if (flags & zip::kEncrypted) source_->fail(fmt::format("'{}' in it is encrypted", entry.name));
  if (method != zip::kStored && method != zip::kDeflated) {
    source_->fail(fmt::format("'{}' in it is compressed by method {}, need stored or deflated", entry.name, method));
  }
  entry.method = method == zip::kStored ? ZipEntry::Method::Stored : ZipEntry::Method::Deflated;
  if (disk != 0) source_->fail("the zip archive is split over several files");
  if (method == zip::kStored && entry.packed != entry.size) {
    source_->fail(
        fmt::format("'{}' in it is stored, but has two sizes: {} and {}", entry.name, entry.packed, entry.size));
  }
  read_local_header(entry, (flags & zip::kStreamed) != 0, directory_offset);
  source_->budget().grow(entries_);
  entries_.push_back(entry);
}

void Zip::read_local_header(ZipEntry& entry, bool streamed, std::uint64_t directory_offset) const {
  if (entry.header > directory_offset) source_->fail(fmt::format("'{}' in it points beyond the file", entry.name));
  Cursor at(*source_, "a zip entry's header", entry.header, directory_offset);
  if (at.take(4) != zip::kLocalSignature) {
    source_->fail(fmt::format("'{}' in it has no header where the directory says", entry.name));
  }
  at.take(2 + 2 + 2 + 4);
  const auto crc = at.number<std::uint32_t>();
  const auto packed = at.number<std::uint32_t>(), size = at.number<std::uint32_t>();
  const auto name_size = at.number<std::uint16_t>(), extra_size = at.number<std::uint16_t>();
  const bool same_name = at.take(name_size) == entry.name;
  at.take(extra_size);
  // Two readers must not see two different archives. A streamed entry's sizes follow its bytes.
  const auto differs = [](std::uint32_t local, std::uint64_t value) { return local != zip::kMax32 && local != value; };
  if (!same_name || (!streamed && (differs(packed, entry.packed) || differs(size, entry.size) || crc != entry.crc))) {
    source_->fail(fmt::format("'{}' in it has a header that disagrees with the directory", entry.name));
  }
  entry.offset = at.position();
  if (entry.packed > directory_offset - entry.offset) {
    source_->fail(fmt::format("'{}' in it ends beyond the file", entry.name));
  }
}

void Zip::check_overlaps() {
  const auto by_place = [](const ZipEntry& a, const ZipEntry& b) { return a.header < b.header; };
  std::sort(entries_.begin(), entries_.end(), by_place);
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    if (entries_[i].header < entries_[i - 1].offset + entries_[i - 1].packed) {
      source_->fail(fmt::format("'{}' and '{}' in it overlap", entries_[i - 1].name, entries_[i].name));
    }
  }
  const auto by_name = [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; };
  std::sort(entries_.begin(), entries_.end(), by_name);
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    if (entries_[i].name == entries_[i - 1].name) {
      source_->fail(fmt::format("two entries in it are named '{}'", entries_[i].name));
    }
  }
}

const ZipEntry* Zip::find(std::string_view name) const {
  const auto less = [](const ZipEntry& entry, std::string_view wanted) { return entry.name < wanted; };
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), name, less);
  return it != entries_.end() && it->name == name ? &*it : nullptr;
}

std::string_view Zip::stored(const ZipEntry& entry) const {
  return source_->bytes().substr(entry.offset, entry.packed);
}

std::shared_ptr<Source> Zip::inflated(const ZipEntry& entry) const {
  const std::string_view packed = source_->bytes().substr(entry.offset, entry.packed);
  // Deflate packs at most 1032 bytes into one: a larger claim is damage, and must not cost memory.
  constexpr std::uint64_t kDeflateRatio = 1032;
  const auto refuse = [&] { source_->fail(fmt::format("'{}' in it is damaged", entry.name)); };
  if (entry.size / kDeflateRatio > entry.packed) refuse();
  source_->budget().charge(entry.size);
  std::shared_ptr<Source> content =
      Source::allocate(fmt::format("{}: {}", source_->name(), entry.name), entry.size, source_->options());
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) source_->fail("no memory to inflate it");
  constexpr std::uint64_t kStep = std::uint64_t{1} << 30;  // zlib counts in 32 bits
  std::uint64_t in = 0, out = 0;
  Bytef none = 0;  // zlib wants a place for no bytes, too
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + in));
    stream.avail_in = static_cast<uInt>(std::min(packed.size() - in, kStep));
    stream.next_out = content->size() > 0 ? reinterpret_cast<Bytef*>(content->data() + out) : &none;
    stream.avail_out = static_cast<uInt>(std::min(content->size() - out, kStep));
    const uInt before_in = stream.avail_in, before_out = stream.avail_out;
    code = inflate(&stream, Z_NO_FLUSH);
    in += before_in - stream.avail_in;
    out += before_out - stream.avail_out;
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END || out != entry.size || in != entry.packed) refuse();
  check_crc(entry, content->bytes());
  return content;
}

bool Zip::has_checksums() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const ZipEntry& entry) { return entry.crc != 0; });
}

void Zip::verify() const {
  for (const ZipEntry& entry : entries_)
    if (entry.method == ZipEntry::Method::Stored) check_crc(entry, stored(entry));
}

void Zip::check_crc(const ZipEntry& entry, std::string_view content, std::string what) const {
  if (entry.crc == 0 && !has_checksums()) return;
  const auto crc = checksum({content});
  if (crc != entry.crc) {
    if (what.empty()) what = fmt::format("'{}' in it", entry.name);
    source_->fail(fmt::format("{} is damaged: its checksum is {:08x}, recorded {:08x}", what, crc, entry.crc));
  }
}

}  // namespace gradus::io
