#include "data/datasets/gzip_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "gradus/core/error.h"

namespace gradus::data {

GzipFile::GzipFile(std::string call, const std::string& path) : call_(std::move(call)), path_(path) {
  errno = 0;
  file_.reset(gzopen(path.c_str(), "rbe"));
  if (!file_) throw_system_error(errno != 0 ? errno : ENOMEM);
  gzbuffer(file_.get(), 1U << 17);
}

std::size_t GzipFile::read(std::uint8_t* to, std::size_t size) {
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

void GzipFile::throw_system_error(int error) const {
  throw IoError(fmt::format("{}: cannot read {}: {}", call_, path_, std::generic_category().message(error)));
}

// A gzip stream that ends early or fails its checksum shows here, even when gzread returned bytes.
void GzipFile::check_state() const {
  int code = Z_OK;
  const char* reason = gzerror(file_.get(), &code);
  if (code == Z_ERRNO) throw_system_error(errno);
  if (code != Z_OK && code != Z_STREAM_END) {
    throw IoError(fmt::format("{}: {} is a damaged gzip file: {}", call_, path_, reason));
  }
}

}  // namespace gradus::data
