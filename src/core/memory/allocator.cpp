#include "core/memory/allocator.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>

#include "core/memory/block_store.h"
#include "gradus/core/memory.h"

namespace gradus::core {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCaching = false;  // so that a use after free is seen
#else
constexpr bool kCaching = true;
#endif

constexpr std::int64_t kStatsSlack = 64 << 10;

// What one thread changed since it last told the process. Only its thread writes, so no locked instruction is needed.
struct Counters {
  std::atomic<std::int64_t> bytes{0};
  std::atomic<std::int64_t> peak{0};  // the highest `bytes` was
  std::atomic<std::int64_t> allocations{0};
};

// Free small blocks of one thread, and its counters.
struct alignas(64) ThreadCache {
  BlockList free[kSizeClasses];
  Counters counters;
  ThreadCache* next = nullptr;
  ThreadCache* previous = nullptr;
};

struct Process {
  std::mutex mutex;  // for the list of caches
  ThreadCache* caches = nullptr;
  Counters counters;
  BlockStore store;
};

// Never destroyed: tensors may be freed until the very end of the process.
Process& process() {
  alignas(Process) static unsigned char memory[sizeof(Process)];
  static Process* const instance = [] {
    static auto* const all = new (memory) Process;
    // Another thread may be in here while one forks: the child would wait for it for ever.
    static constexpr auto unlock = [] {
      all->store.unlock();
      all->mutex.unlock();
    };
    pthread_atfork(
        [] {
          all->mutex.lock();
          all->store.lock();
        },
        unlock, unlock);
    return all;
  }();
  return *instance;
}

void raise_to(std::atomic<std::int64_t>& highest, std::int64_t value) {
  std::int64_t seen = highest.load(std::memory_order_relaxed);
  while (seen < value && !highest.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

// Tells the process what the thread changed.
void publish(Counters& mine) {
  Counters& all = process().counters;
  const std::int64_t bytes = mine.bytes.load(std::memory_order_relaxed);
  const std::int64_t before = all.bytes.fetch_add(bytes, std::memory_order_relaxed);
  raise_to(all.peak, before + mine.peak.load(std::memory_order_relaxed));
  all.allocations.fetch_add(mine.allocations.load(std::memory_order_relaxed), std::memory_order_relaxed);
  mine.bytes.store(0, std::memory_order_relaxed);
  mine.peak.store(0, std::memory_order_relaxed);
  mine.allocations.store(0, std::memory_order_relaxed);
}

inline void count_allocation(Counters& mine, std::size_t size) {
  const std::int64_t bytes = mine.bytes.load(std::memory_order_relaxed) + static_cast<std::int64_t>(size);
  mine.bytes.store(bytes, std::memory_order_relaxed);
  mine.allocations.store(mine.allocations.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (bytes <= mine.peak.load(std::memory_order_relaxed)) return;
  mine.peak.store(bytes, std::memory_order_relaxed);
  if (bytes > kStatsSlack) [[unlikely]]
    publish(mine);
}

inline void count_free(Counters& mine, std::size_t size) {
  const std::int64_t bytes = mine.bytes.load(std::memory_order_relaxed) - static_cast<std::int64_t>(size);
  mine.bytes.store(bytes, std::memory_order_relaxed);
  if (bytes < -kStatsSlack) [[unlikely]]
    publish(mine);
}

// How many free blocks of a class a thread keeps: 256 KiB, but at least two blocks.
constexpr auto kKeep = [] {
  std::array<std::uint32_t, kSizeClasses> keep{};
  for (int i = 0; i < kSizeClasses; ++i) {
    const std::size_t blocks = (std::size_t{256} << 10) / class_bytes(i);
    keep[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(std::clamp<std::size_t>(blocks, 2, 1024));
  }
  return keep;
}();

// A plain pointer in the thread's fixed block: reached in one instruction, and readable after the thread's
// destructors have run, when it is null again.
constinit thread_local ThreadCache* thread_cache [[gnu::tls_model("initial-exec")]] = nullptr;
constinit thread_local bool thread_ended [[gnu::tls_model("initial-exec")]] = false;

void give_back_all(ThreadCache& cache) {
  for (int i = 0; i < kSizeClasses; ++i) {
    if (cache.free[i].count > 0) process().store.give_small(i, cache.free[i].count, cache.free[i]);
  }
}

struct AtThreadEnd {
  ~AtThreadEnd() {
    ThreadCache* cache = thread_cache;
    thread_cache = nullptr;
    thread_ended = true;
    if (cache == nullptr) return;
    give_back_all(*cache);
    Process& all = process();
    {
      std::lock_guard lock(all.mutex);
      publish(cache->counters);
      (cache->previous == nullptr ? all.caches : cache->previous->next) = cache->next;
      if (cache->next != nullptr) cache->next->previous = cache->previous;
    }
    delete cache;
  }
};

// Null when the thread is ending or has no memory even for this; then all goes through the shared store.
ThreadCache* find_cache() noexcept {
  if (thread_cache != nullptr || thread_ended) return thread_cache;
  auto* cache = new (std::nothrow) ThreadCache;
  if (cache == nullptr) return nullptr;
  static thread_local AtThreadEnd at_thread_end;
  static_cast<void>(at_thread_end);
  Process& all = process();
  std::lock_guard lock(all.mutex);
  cache->next = all.caches;
  if (cache->next != nullptr) cache->next->previous = cache;
  all.caches = cache;
  return thread_cache = cache;
}

// From the shared store, or from the system where nothing is kept. Null if there is no memory.
void* take(std::size_t bytes, ThreadCache* cache) {
  if constexpr (!kCaching) {
    if (bytes >> 38 != 0) return nullptr;  // which the sanitizer would end the process for
    return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  }
  try {
    BlockStore& store = process().store;
    if (bytes > kLargestSmall) return store.take_large(bytes);
    const int index = size_class(bytes);
    BlockList single;
    BlockList& list = cache == nullptr ? single : cache->free[index];
    const std::uint32_t wanted = cache == nullptr ? 1 : kKeep[static_cast<std::size_t>(index)] / 2;
    return store.take_small(index, wanted, list) ? list.pop() : nullptr;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

[[noreturn]] void throw_out_of_memory(std::size_t bytes) {
  const MemoryStats held = memory_stats();
  throw OutOfMemory(bytes, held.current_bytes, held.reserved_bytes);
}

[[gnu::noinline]] void* allocate_slowly(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  ThreadCache* cache = find_cache();
  void* block = nullptr;
  if (bytes <= PTRDIFF_MAX) {  // more could not even be counted
    block = take(bytes, cache);
    if (block == nullptr) {
      empty_cache();
      block = take(bytes, cache);
    }
  }
  if (block == nullptr) throw_out_of_memory(bytes);
  if (cache != nullptr) {
    count_allocation(cache->counters, bytes);
  } else {
    Counters once;
    count_allocation(once, bytes);
    publish(once);
  }
  return block;
}

[[gnu::noinline]] void deallocate_slowly(void* block, std::size_t bytes) noexcept {
  if (block == nullptr) return;
  ThreadCache* cache = find_cache();
  if (cache != nullptr) {
    count_free(cache->counters, bytes);
  } else {
    Counters once;
    count_free(once, bytes);
    publish(once);
  }
  if constexpr (!kCaching) {
    std::free(block);
    return;
  }
  BlockStore& store = process().store;
  if (bytes > kLargestSmall) return store.give_large(block);
  const int index = size_class(bytes);
  BlockList single;
  BlockList& list = cache == nullptr ? single : cache->free[index];
  if (cache != nullptr && list.count >= kKeep[static_cast<std::size_t>(index)]) {
    store.give_small(index, list.count / 2, list);
  }
  list.push(block);
  if (cache == nullptr) store.give_small(index, 1, list);
}

}  // namespace

void* allocate(std::size_t bytes) {
  ThreadCache* cache = thread_cache;
  if (kCaching && cache != nullptr && bytes - 1 < kLargestSmall) [[likely]] {
    BlockList& list = cache->free[size_class(bytes)];
    if (list.head != nullptr) [[likely]] {
      count_allocation(cache->counters, bytes);
      return list.pop();
    }
  }
  return allocate_slowly(bytes);
}

void deallocate(void* p, std::size_t bytes) noexcept {
  ThreadCache* cache = thread_cache;
  if (kCaching && cache != nullptr && p != nullptr && bytes - 1 < kLargestSmall) [[likely]] {
    const int index = size_class(bytes);
    BlockList& list = cache->free[index];
    if (list.count < kKeep[static_cast<std::size_t>(index)]) [[likely]] {
      count_free(cache->counters, bytes);
      return list.push(p);
    }
  }
  deallocate_slowly(p, bytes);
}

}  // namespace gradus::core

namespace gradus {

MemoryStats memory_stats() {
  core::Process& all = core::process();
  MemoryStats stats;
  {
    std::lock_guard lock(all.mutex);
    stats.current_bytes = all.counters.bytes.load(std::memory_order_relaxed);
    stats.allocations = all.counters.allocations.load(std::memory_order_relaxed);
    std::int64_t peak_now = stats.current_bytes;
    for (const core::ThreadCache* cache = all.caches; cache != nullptr; cache = cache->next) {
      stats.current_bytes += cache->counters.bytes.load(std::memory_order_relaxed);
      stats.allocations += cache->counters.allocations.load(std::memory_order_relaxed);
      peak_now += cache->counters.peak.load(std::memory_order_relaxed);
    }
    stats.peak_bytes = std::max(all.counters.peak.load(std::memory_order_relaxed), peak_now);
  }
  stats.reserved_bytes = core::kCaching ? all.store.reserved_bytes() : stats.current_bytes;
  return stats;
}

void reset_peak_memory() {
  core::Process& all = core::process();
  std::lock_guard lock(all.mutex);
  std::int64_t current = all.counters.bytes.load(std::memory_order_relaxed);
  for (core::ThreadCache* cache = all.caches; cache != nullptr; cache = cache->next) {
    // A thread that is allocating at this moment may overwrite this with its older peak: within the promised slack.
    const std::int64_t bytes = cache->counters.bytes.load(std::memory_order_relaxed);
    cache->counters.peak.store(bytes, std::memory_order_relaxed);
    current += bytes;
  }
  all.counters.peak.store(current, std::memory_order_relaxed);
}

void empty_cache() {
  if (core::ThreadCache* cache = core::thread_cache) core::give_back_all(*cache);
  core::process().store.release_unused();
}

}  // namespace gradus
