#include "core/memory/block_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

namespace gradus::core {

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Blocks above this are cut from chunks of their own kind, as they would leave large rests in the others.
constexpr std::size_t kLargestFine = std::size_t{32} << 10;
constexpr std::size_t kChunkBytes[2] = {kHugePage, 4 * kHugePage};
// Unused large blocks are all given back when none fits and they hold more than this, and more than was ever in use.
constexpr std::size_t kKeepAtLeast = std::size_t{256} << 20;

// Fresh zeroed pages at a multiple of 2 MiB, so that huge pages can back them all; null if there are none.
void* map_pages(std::size_t bytes) {
  if (bytes > SIZE_MAX - kHugePage) return nullptr;
  void* mapped = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const auto start = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
  if (aligned > start) munmap(mapped, aligned - start);
  const std::size_t rest = start + kHugePage - aligned;
  if (rest > 0) munmap(reinterpret_cast<void*>(aligned + bytes), rest);
  void* block = reinterpret_cast<void*>(aligned);
#ifdef MADV_HUGEPAGE
  madvise(block, bytes, MADV_HUGEPAGE);
#endif
  return block;
}

}  // namespace

bool BlockStore::take_small(int size_class, std::uint32_t wanted, BlockList& list) {
  std::lock_guard lock(mutex_);
  BlockList& free = free_small_[static_cast<std::size_t>(size_class)];
  if (free.count == 0) return cut_small(size_class, wanted, list) > 0;
  for (std::uint32_t i = std::min(wanted, free.count); i > 0; --i) list.push(free.pop());
  return true;
}

void BlockStore::give_small(int size_class, std::uint32_t count, BlockList& list) noexcept {
  std::lock_guard lock(mutex_);
  BlockList& free = free_small_[static_cast<std::size_t>(size_class)];
  for (; count > 0; --count) free.push(list.pop());
}

std::uint32_t BlockStore::cut_small(int size_class, std::uint32_t wanted, BlockList& list) {
  const std::size_t bytes = class_bytes(size_class);
  const int kind = bytes > kLargestFine ? 1 : 0;
  auto chunk = chunks_.find(cutting_[kind]);
  if (chunk == chunks_.end() || chunk->second.bytes - chunk->second.cut < bytes) {
    auto [added, unused] = chunks_.try_emplace(0, Chunk{.bytes = kChunkBytes[kind]});  // may throw, so comes first
    auto node = chunks_.extract(added);
    void* pages = map_pages(kChunkBytes[kind]);
    if (pages == nullptr) return 0;
    node.key() = cutting_[kind] = reinterpret_cast<std::uintptr_t>(pages);
    chunk = chunks_.insert(std::move(node)).position;
    reserved_ += kChunkBytes[kind];
  }
  std::size_t& cut = chunk->second.cut;
  const std::size_t fitting = (chunk->second.bytes - cut) / bytes;
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(wanted, fitting));
  // From the last to the first: the list then gives them out in the order of their addresses.
  for (std::uint32_t i = count; i > 0; --i) list.push(reinterpret_cast<void*>(chunk->first + cut + (i - 1) * bytes));
  cut += count * bytes;
  return count;
}

void* BlockStore::take_large(std::size_t bytes) {
  if (bytes > SIZE_MAX - kHugePage) return nullptr;
  const std::size_t need = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  std::lock_guard lock(mutex_);
  FreeLargeSet::node_type node;
  const auto best = free_large_.lower_bound({need, nullptr});
  if (best != free_large_.end() && best->bytes - need <= best->bytes / 8) {
    auto [used, fresh] = used_large_.try_emplace(best->block);  // may throw, so comes first
    free_large_bytes_ -= best->bytes;
    used_large_bytes_ += best->bytes;
    used->second = free_large_.extract(best);
    peak_large_bytes_ = std::max(peak_large_bytes_, used_large_bytes_);
    return used->first;
  }
  if (free_large_bytes_ > std::max(kKeepAtLeast, peak_large_bytes_)) release_large();
  void* block = map_pages(need);
  if (block == nullptr) return nullptr;
  try {
    FreeLargeSet one;
    one.insert({need, block});
    used_large_.emplace(block, one.extract(one.begin()));
  } catch (const std::bad_alloc&) {
    munmap(block, need);
    return nullptr;
  }
  reserved_ += need;
  used_large_bytes_ += need;
  peak_large_bytes_ = std::max(peak_large_bytes_, used_large_bytes_);
  return block;
}

// Only moves nodes, so that it cannot fail.
void BlockStore::give_large(void* block) noexcept {
  std::lock_guard lock(mutex_);
  const auto used = used_large_.find(block);
  const std::size_t bytes = used->second.value().bytes;
  free_large_.insert(std::move(used->second));
  used_large_.erase(used);
  used_large_bytes_ -= bytes;
  free_large_bytes_ += bytes;
}

void BlockStore::release_large() {
  for (const FreeLarge& large : free_large_) munmap(large.block, large.bytes);
  free_large_.clear();
  reserved_ -= free_large_bytes_;
  free_large_bytes_ = 0;
}

BlockStore::Chunks::iterator BlockStore::chunk_of(const void* block) {
  return std::prev(chunks_.upper_bound(reinterpret_cast<std::uintptr_t>(block)));
}

// A chunk goes when all blocks ever cut from it are free; first they leave the lists.
void BlockStore::release_chunks() {
  for (auto& [start, chunk] : chunks_) chunk.unused = 0;
  for (int i = 0; i < kSizeClasses; ++i) {
    for (void* block = free_small_[static_cast<std::size_t>(i)].head; block != nullptr;
         block = *static_cast<void**>(block)) {
      chunk_of(block)->second.unused += class_bytes(i);
    }
  }
  for (BlockList& list : free_small_) {
    BlockList kept;
    while (list.count > 0) {
      void* block = list.pop();
      const Chunk& chunk = chunk_of(block)->second;
      if (chunk.unused < chunk.cut) kept.push(block);
    }
    list = kept;
  }
  for (auto it = chunks_.begin(); it != chunks_.end();) {
    if (it->second.unused < it->second.cut) {
      ++it;
      continue;
    }
    for (std::uintptr_t& cutting : cutting_) {
      if (cutting == it->first) cutting = 0;
    }
    munmap(reinterpret_cast<void*>(it->first), it->second.bytes);
    reserved_ -= it->second.bytes;
    it = chunks_.erase(it);
  }
}

void BlockStore::release_unused() {
  std::lock_guard lock(mutex_);
  release_large();
  release_chunks();
}

std::int64_t BlockStore::reserved_bytes() {
  std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(reserved_);
}

}  // namespace gradus::core
