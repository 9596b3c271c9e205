#include "kernels/emulated/memory.h"

#include <gradus/core/error.h>
#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <string>

namespace gradus::emulated {

namespace {

std::byte* reserved(std::size_t bytes, int protection) {
  void* p = ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw OutOfMemory(bytes, 0, 0);
  return static_cast<std::byte*>(p);
}

}  // namespace

Memory::Memory()
    : shown_(reserved(kCapacity, PROT_NONE)), own_(reserved(kCapacity, PROT_READ | PROT_WRITE)), free_{{0, kCapacity}} {
  stats_.reserved_bytes = static_cast<std::int64_t>(kCapacity);
}

void* Memory::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto refuse = [&] {
    OutOfMemory error(bytes, stats_.current_bytes, stats_.reserved_bytes);
    error.add_held("on the emulated device, which has " + std::to_string(limit_) + " bytes");
    throw error;
  };
  if (bytes > limit_ || static_cast<std::size_t>(stats_.current_bytes) > limit_ - bytes) refuse();
  const std::size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const auto found = std::find_if(free_.begin(), free_.end(), [&](const auto& block) { return block.second >= size; });
  if (found == free_.end()) refuse();
  const auto [offset, room] = *found;
  free_.erase(found);
  if (room > size) free_.emplace(offset + size, room - size);
  stats_.current_bytes += static_cast<std::int64_t>(bytes);
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
  ++stats_.allocations;
  return shown_ + offset;
}

void Memory::deallocate(void* p, std::size_t bytes) noexcept {
  if (p == nullptr) return;
  const std::lock_guard lock(mutex_);
  stats_.current_bytes -= static_cast<std::int64_t>(bytes);
  auto at =
      free_.emplace(static_cast<std::byte*>(p) - shown_, (bytes + kAlignment - 1) / kAlignment * kAlignment).first;
  if (const auto next = std::next(at); next != free_.end() && at->first + at->second == next->first) {
    at->second += next->second;
    free_.erase(next);
  }
  if (at == free_.begin()) return;
  if (const auto before = std::prev(at); before->first + before->second == at->first) {
    before->second += at->second;
    free_.erase(at);
  }
}

void Memory::set_limit(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  limit_ = bytes == 0 ? kCapacity : std::min(bytes, kCapacity);
}

MemoryStats Memory::stats() {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Memory::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak_bytes = stats_.current_bytes;
}

std::int64_t Memory::limit() {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(limit_);
}

std::int64_t Memory::room() {
  const std::lock_guard lock(mutex_);
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(limit_) - stats_.current_bytes);
}

void* Memory::reach(const char* kernel, const void* p) const {
  if (p == nullptr) return nullptr;
  const auto* at = static_cast<const std::byte*>(p);
  if (at < shown_ || at >= shown_ + kCapacity) {
    throw Error(std::string(kernel) + ": a kernel of the emulated device was given memory of another device");
  }
  return own_ + (at - shown_);
}

}  // namespace gradus::emulated
