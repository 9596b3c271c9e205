#include "data/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>

#include "gradus/error.h"

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
  throw IoError(fmt::format("read_idx: no file {} nor {}", path, path == names[1] ? names[2] : names[1]));
}

// A plain or gzipped file as a stream of bytes.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    errno = 0;
    file_.reset(gzopen(path.c_str(), "rbe"));
    if (!file_) throw_system_error(errno != 0 ? errno : ENOMEM);
    gzbuffer(file_.get(), 1U << 17);
  }

  // Reads up to `size` bytes; fewer only at the end of the file.
  std::size_t read(uint8_t* to, std::size_t size) {
    constexpr std::size_t kMaxRead = std::size_t{1} << 30;  // gzread counts in int
    std::size_t filled = 0;
    while (filled < size) {
      const int got = gzread(file_.get(), to + filled, static_cast<unsigned>(std::min(size - filled, kMaxRead)));
      check_state();
      if (got <= 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose_r(file); }
  };

  [[noreturn]] void throw_system_error(int error) const {
    throw IoError(fmt::format("read_idx: cannot read {}: {}", path_, std::generic_category().message(error)));
  }

  // A gzip stream that ends early or fails its checksum shows here, even when gzread returned bytes.
  void check_state() const {
    int code = Z_OK;
    const char* reason = gzerror(file_.get(), &code);
    if (code == Z_ERRNO) throw_system_error(errno);
    if (code != Z_OK && code != Z_STREAM_END) {
      throw IoError(fmt::format("read_idx: {} is a damaged gzip file: {}", path_, reason));
    }
  }

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

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

std::vector<int64_t> read_header(Reader& reader, const std::string& name) {
  constexpr uint8_t kUint8 = 0x08;
  std::array<uint8_t, 4> word{};
  if (reader.read(word.data(), 4) != 4) throw IoError(fmt::format("read_idx: {} ends within its header", name));
  if (word[0] != 0 || word[1] != 0) {
    throw IoError(fmt::format("read_idx: {} is no IDX file: it starts with {:#04x} {:#04x}, not 0x00 0x00", name,
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
  Reader reader(name);
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
