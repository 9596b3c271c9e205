#include "io/heap.h"

#include <gradus/core/memory.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GRADUS_WATCH_HEAP 0
#else
#define GRADUS_WATCH_HEAP 1
#endif

namespace {
std::atomic<std::int64_t> current{0}, peak{0};
}  // namespace

#if GRADUS_WATCH_HEAP
void* operator new(std::size_t size) {
  void* p = std::malloc(size == 0 ? 1 : size);
  if (p == nullptr) throw std::bad_alloc();
  const std::int64_t now = current += static_cast<std::int64_t>(::malloc_usable_size(p));
  std::int64_t seen = peak;
  while (now > seen && !peak.compare_exchange_weak(seen, now)) {
  }
  return p;
}
void operator delete(void* p) noexcept {
  if (p != nullptr) current -= static_cast<std::int64_t>(::malloc_usable_size(p));
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept { operator delete(p); }
#endif

namespace gradus::test {

bool heap_is_watched() { return GRADUS_WATCH_HEAP; }

HeapWatch::HeapWatch() : start_(current + memory_stats().current_bytes) {
  peak = current.load();
  reset_peak_memory();
}

// The two peaks need not fall together: this is at most too high.
std::int64_t HeapWatch::peak_bytes() const { return peak + memory_stats().peak_bytes - start_; }

}  // namespace gradus::test
