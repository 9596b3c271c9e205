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

// Large blocks are multiples of this, and rests that are at least kLeastRest become blocks of their own.
constexpr std::size_t kGrain = std::size_t{4} << 10;
constexpr std::size_t kLeastRest = std::size_t{64} << 10;

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

void* map_at(std::uintptr_t hint, std::size_t bytes) {
  void* mapped = mmap(reinterpret_cast<void*>(hint), bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

// Fresh zeroed pages at a multiple of 2 MiB, so that huge pages can back them all; null if there are none. They end at
// `end` if what lies there is free.
void* map_pages(std::size_t bytes, std::uintptr_t end = 0) {
  if (bytes > SIZE_MAX - kHugePage) return nullptr;
  void* block = nullptr;
  if (end > bytes && (end - bytes) % kHugePage == 0) {
    block = map_at(end - bytes, bytes);
    if (reinterpret_cast<std::uintptr_t>(block) % kHugePage != 0) {
      munmap(block, bytes);
      block = nullptr;
    }
  }
  if (block == nullptr) {
    void* mapped = map_at(0, bytes + kHugePage);
    if (mapped == nullptr) return nullptr;
    const auto start = reinterpret_cast<std::uintptr_t>(mapped);
    const std::uintptr_t aligned = round_up(start, kHugePage);
    if (aligned > start) munmap(mapped, aligned - start);
    const std::size_t rest = start + kHugePage - aligned;
    if (rest > 0) munmap(reinterpret_cast<void*>(aligned + bytes), rest);
    block = reinterpret_cast<void*>(aligned);
  }
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

// A block in use, which nothing else knows of yet.
BlockStore::Larges::iterator BlockStore::add_large(std::uintptr_t start, std::size_t bytes) {
  FreeLargeSet one;
  one.insert({bytes, start});
  return larges_.emplace(start, Large{bytes, one.extract(one.begin())}).first;
}

// A free block of at least `need` bytes, of fresh pages and of a free block that they touch.
BlockStore::Larges::iterator BlockStore::map_large(std::size_t need) {
  // Below the lowest block, where the system has put its mappings so far: what is free there counts.
  const auto lowest = larges_.begin();
  const bool extends = lowest != larges_.end() && !lowest->second.used() && lowest->second.bytes < need;
  const std::size_t fresh = round_up(extends ? need - lowest->second.bytes : need, kHugePage);
  void* pages = map_pages(fresh, lowest == larges_.end() ? 0 : lowest->first);
  if (pages == nullptr) return larges_.end();
  auto start = reinterpret_cast<std::uintptr_t>(pages);
  std::size_t bytes = fresh;
  if (extends && start + fresh != lowest->first) {
    munmap(pages, fresh);
    bytes = round_up(need, kHugePage);
    pages = map_pages(bytes);
    if (pages == nullptr) return larges_.end();
    start = reinterpret_cast<std::uintptr_t>(pages);
  }
  Larges::iterator added;
  try {
    added = add_large(start, bytes);
  } catch (const std::bad_alloc&) {
    munmap(pages, bytes);
    throw;
  }
  reserved_ += bytes;
  return list_free(added);
}

void* BlockStore::take_large(std::size_t bytes) {
  if (bytes > SIZE_MAX - kHugePage) return nullptr;
  const std::size_t need = round_up(bytes, kGrain);
  std::lock_guard lock(mutex_);
  auto best = free_large_.lower_bound({need, 0});
  if (best == free_large_.end()) {
    if (free_large_bytes_ > std::max(kKeepAtLeast, peak_large_bytes_)) release_large();
    const auto mapped = map_large(need);
    if (mapped == larges_.end()) return nullptr;
    best = free_large_.find({mapped->second.bytes, mapped->first});
  }
  // The upper end: what is left at the lower one may grow with the next fresh pages.
  const std::size_t rest = best->bytes - need >= kLeastRest ? best->bytes - need : 0;
  auto block = larges_.find(best->start);
  if (rest > 0) block = add_large(best->start + rest, need);  // may throw, so comes first
  free_large_bytes_ -= best->bytes;
  auto node = free_large_.extract(best);
  if (rest > 0) {
    Large& lower = larges_.find(node.value().start)->second;
    lower.bytes = node.value().bytes = rest;
    free_large_.insert(std::move(node));
    free_large_bytes_ += rest;
  } else {
    block->second.node = std::move(node);
  }
  used_large_bytes_ += block->second.bytes;
  peak_large_bytes_ = std::max(peak_large_bytes_, used_large_bytes_);
  return reinterpret_cast<void*>(block->first);
}

void BlockStore::give_large(void* block) noexcept {
  std::lock_guard lock(mutex_);
  const auto found = larges_.find(reinterpret_cast<std::uintptr_t>(block));
  used_large_bytes_ -= found->second.bytes;
  list_free(found);
}

// Joins a block that was in use with free ones that it touches, and returns what it has become. Only moves and drops
// nodes, so that it cannot fail.
BlockStore::Larges::iterator BlockStore::list_free(Larges::iterator block) noexcept {
  auto node = std::move(block->second.node);
  free_large_bytes_ += block->second.bytes;
  const auto joins = [&](Larges::iterator lower, Larges::iterator upper) {
    return lower->first + lower->second.bytes == upper->first && !lower->second.used() && !upper->second.used();
  };
  const auto join = [&](Larges::iterator lower, Larges::iterator upper, Larges::iterator listed) {
    free_large_.erase({listed->second.bytes, listed->first});
    lower->second.bytes += upper->second.bytes;
    larges_.erase(upper);
  };
  if (const auto next = std::next(block); next != larges_.end() && joins(block, next)) join(block, next, next);
  if (block != larges_.begin()) {
    const auto previous = std::prev(block);
    if (joins(previous, block)) {
      join(previous, block, previous);
      block = previous;
    }
  }
  node.value() = {block->second.bytes, block->first};
  free_large_.insert(std::move(node));
  return block;
}

void BlockStore::release_large() {
  for (const FreeLarge& large : free_large_) {
    munmap(reinterpret_cast<void*>(large.start), large.bytes);
    larges_.erase(large.start);
  }
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
