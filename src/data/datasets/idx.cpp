#include "data/datasets/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "data/datasets/gzip_file.h"
#include "gradus/core/error.h"

namespace gradus::data {
namespace {

constexpr std::string_view kSuffix = ".gz";

// The names under which the file may lie: compressed or not, with ".idx" for "-idx" (Kaggle's), and in a folder of its
// own name.
std::vector<std::string> other_names(const std::string& path) {
  const std::string plain = path.ends_with(kSuffix) ? path.substr(0, path.size() - kSuffix.size()) : path;
  const std::size_t slash = plain.rfind('/') + 1, idx = plain.find("idx", slash);
  std::vector<std::string> names{path, plain, plain + std::string(kSuffix)};
  if (idx != plain.npos && idx > slash && (plain[idx - 1] == '-' || plain[idx - 1] == '.')) {
    std::string dotted = plain;
    dotted[idx - 1] = plain[idx - 1] == '-' ? '.' : '-';
    names.insert(names.end(), {dotted, dotted + std::string(kSuffix)});
  }
  for (std::size_t i = 0, count = names.size(); i < count; ++i)
    names.push_back(names[i] + "/" + names[i].substr(names[i].rfind('/') + 1));
  return names;
}

std::string existing_name(const std::string& path) {
  const auto names = other_names(path);
  for (const std::string& name : names) {
    struct stat status {};
    if (::stat(name.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) return name;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return path;  // a folder, as reading it will say
  throw IoError(fmt::format("read_idx: no file {} nor {}", path, path == names[1] ? names[2] : names[1]));
}

std::string_view type_name(uint8_t type) {
  switch (type) {
    case 0x09:
      return "int8";
    case 0x0b:
      return "int16";
    case 0x0c:
      return "int32";
    case 0x0d:
      return "float32";
    case 0x0e:
      return "float64";
    default:
      return "no known type";
  }
}

std::vector<int64_t> read_header(GzipFile& reader, const std::string& name) {
  constexpr uint8_t kUint8 = 0x08;
  std::array<uint8_t, 4> word{};
  if (reader.read(word.data(), 4) != 4) throw IoError(fmt::format("read_idx: {} ends within its header", name));
  if (word[0] != 0 || word[1] != 0) {
    throw IoError(fmt::format("read_idx: {} is not an IDX file: it starts with {:#04x} {:#04x}, not 0x00 0x00", name,
                              word[0], word[1]));
  }
  if (word[2] != kUint8) {
    throw IoError(fmt::format("read_idx: need unsigned bytes (type 0x08), {} holds {} (type {:#04x})", name,
                              type_name(word[2]), word[2]));
  }
  const std::size_t rank = word[3];
  if (rank == 0) throw IoError(fmt::format("read_idx: need at least one dimension, {} has none", name));
  std::vector<int64_t> shape;
  for (std::size_t i = 0; i < rank; ++i) {
    if (reader.read(word.data(), 4) != 4) {
      throw IoError(fmt::format("read_idx: {} ends within its header, at dimension {} of {}", name, i + 1, rank));
    }
    shape.push_back(int64_t{word[0]} << 24 | int64_t{word[1]} << 16 | int64_t{word[2]} << 8 | int64_t{word[3]});
  }
  return shape;
}

}  // namespace

IdxArray read_idx(const std::string& path) {
  const std::string name = existing_name(path);
  GzipFile reader("read_idx", name);
  IdxArray array;
  array.shape = read_header(reader, name);
  int64_t size = 1;
  for (const int64_t dimension : array.shape) {
    if (__builtin_mul_overflow(size, dimension, &size)) {
      throw IoError(
          fmt::format("read_idx: the dimensions in {} are too large: [{}]", name, fmt::join(array.shape, ", ")));
    }
  }
  constexpr std::size_t kFirstStep = std::size_t{1} << 20;
  const auto expected = static_cast<std::size_t>(size);
  std::size_t filled = 0;
  while (filled < expected) {
    array.bytes.resize(std::min(expected, std::max(kFirstStep, 2 * filled)));
    filled += reader.read(array.bytes.data() + filled, array.bytes.size() - filled);
    if (filled < array.bytes.size()) {
      throw IoError(fmt::format("read_idx: {} says [{}], {} bytes, but holds {}", name, fmt::join(array.shape, ", "),
                                expected, filled));
    }
  }
  // This read also reaches the checksum at the end of a gzip stream.
  uint8_t extra = 0;
  if (reader.read(&extra, 1) != 0) {
    throw IoError(
        fmt::format("read_idx: {} says [{}], {} bytes, but holds more", name, fmt::join(array.shape, ", "), expected));
  }
  return array;
}

}  // namespace gradus::data
