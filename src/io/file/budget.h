// How much memory reading one file may take.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gradus/core/error.h"

namespace gradus::io {

// Readers charge what they are about to allocate, so that a small file cannot claim a large memory.
class Budget {
 public:
  Budget(std::string file, std::uint64_t limit) : file_(std::move(file)), limit_(limit) {}

  // What ordinary files never reach: a list of a million small objects, or compressed arrays of mostly zeros, take many
  // times their bytes.
  static std::uint64_t default_limit(std::uint64_t file_bytes) { return 16 * file_bytes + (std::uint64_t{1} << 30); }

  // What the tests of hostile files and the fuzzers set: with the file and 4 MB for what is not counted, three times
  // the file and 16 MB.
  static std::uint64_t small_limit(std::uint64_t file_bytes) { return 2 * file_bytes + (std::uint64_t{12} << 20); }

  std::uint64_t limit() const { return limit_; }
  std::uint64_t used() const { return used_; }

  // IoError when it would be more than the limit.
  void charge(std::uint64_t bytes) {
    if (bytes > limit_ - used_) {
      throw IoError(
          fmt::format("load: {}: what it describes needs more than {} MB of memory, too much for a file of its "
                      "size; if it can be trusted, load it with a larger LoadOptions::memory",
                      file_, limit_ >> 20));
    }
    used_ += bytes;
  }
  void refund(std::uint64_t bytes) { used_ -= bytes; }

  // Makes room for one more element, and counts it.
  template <class T>
  void grow(std::vector<T>& list) {
    if (list.size() < list.capacity()) return;
    const std::size_t before = list.capacity(), after = before + before / 2 + 4;
    charge(after * sizeof(T));
    list.reserve(after);
    refund(before * sizeof(T));
  }

 private:
  std::string file_;
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
};

}  // namespace gradus::io
