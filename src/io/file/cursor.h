// Reads little-endian fields from a part of a file, and never beyond it.
#pragma once

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <string_view>

#include "io/file/source.h"

namespace gradus::io {

static_assert(std::endian::native == std::endian::little, "files are read as they lie in memory");

class Cursor {
 public:
  // [begin, end) of the source. `part` names it in errors: "data.pkl".
  Cursor(const Source& source, std::string_view part, std::size_t begin, std::size_t end)
      : source_(source), part_(part), at_(begin), begin_(begin), end_(end) {}

  std::size_t position() const { return at_; }
  std::size_t left() const { return end_ - at_; }
  void seek(std::size_t position) { at_ = position; }

  std::string_view take(std::uint64_t count) {
    if (count > left()) {
      fail(fmt::format("ends within a field of {} bytes at byte {}", count, at_ - begin_));
    }
    const std::string_view bytes(source_.data() + at_, count);
    at_ += count;
    return bytes;
  }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  // Up to the next newline, which is taken too.
  std::string_view line() {
    const std::string_view rest(source_.data() + at_, left());
    const std::size_t end = rest.find('\n');
    if (end == rest.npos) fail(fmt::format("ends within a line at byte {}", at_ - begin_));
    at_ += end + 1;
    return rest.substr(0, end);
  }

  // IoError "load: FILE: PART WHAT".
  [[noreturn]] void fail(std::string_view what) const { source_.fail(fmt::format("{} {}", part_, what)); }

 private:
  const Source& source_;
  std::string part_;
  std::size_t at_, begin_, end_;
};

}  // namespace gradus::io
