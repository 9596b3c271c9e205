// The emulated device's memory. Each block has two addresses: the one that tensors hold, which nobody can read or write
// at, and the one that kernels work with.
#pragma once

#include <gradus/core/memory.h>

#include <cstddef>
#include <map>
#include <mutex>

namespace gradus::emulated {

class Memory {
 public:
  Memory();

  // Null for 0 bytes; OutOfMemory.
  void* allocate(std::size_t bytes);
  void deallocate(void* p, std::size_t bytes) noexcept;
  void set_limit(std::size_t bytes);
  MemoryStats stats();
  void reset_peak();
  std::int64_t limit();
  std::int64_t room();  // up to the limit

  // Where kernels find what tensors know as p, which may be null. An Error, in the name of `kernel`, for other memory.
  void* reach(const char* kernel, const void* p) const;
  std::ptrdiff_t offset() const { return own_ - shown_; }

 private:
  static constexpr std::size_t kCapacity = std::size_t{1} << 32, kAlignment = 64;

  std::byte *shown_, *own_;
  std::mutex mutex_;
  std::map<std::size_t, std::size_t> free_;  // offset to size; neighbours are joined
  std::size_t limit_ = kCapacity;
  MemoryStats stats_;
};

}  // namespace gradus::emulated
