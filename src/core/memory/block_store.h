#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>

/// The part of the allocator that threads share: free small blocks by size, the chunks they are cut from, and large
/// blocks. Threads keep small blocks of their own in front of it, see allocator.cpp.
namespace gradus::core {

inline constexpr std::size_t kLargestSmall = std::size_t{1} << 20;
inline constexpr int kSizeClasses = 56;

/// The class of a small size (1 to kLargestSmall): steps of 64 bytes up to 1 KiB, then four for each power of two.
constexpr int size_class(std::size_t bytes) {
  const std::size_t last = bytes - 1;
  if (last < 1024) return static_cast<int>(last / 64);
  const int power = std::bit_width(last) - 1;
  return 16 + (power - 10) * 4 + static_cast<int>((last >> (power - 2)) & 3);
}

/// The bytes of a block of that class: the largest size in it.
constexpr std::size_t class_bytes(int index) {
  if (index < 16) return static_cast<std::size_t>(index + 1) * 64;
  return static_cast<std::size_t>(5 + (index & 3)) << (8 + (index - 16) / 4);
}

/// Blocks linked through their own first bytes.
struct BlockList {
  void* head = nullptr;
  std::uint32_t count = 0;

  void push(void* block) noexcept {
    *static_cast<void**>(block) = head;
    head = block;
    ++count;
  }
  void* pop() noexcept {
    void* block = head;
    head = *static_cast<void**>(block);
    --count;
    return block;
  }
};

class BlockStore {
 public:
  /// Moves up to `wanted` blocks, at least one, into the empty `list`. False if the system has no memory.
  bool take_small(int size_class, std::uint32_t wanted, BlockList& list);
  /// Takes `count` blocks from the list.
  void give_small(int size_class, std::uint32_t count, BlockList& list) noexcept;

  /// A block of at least `bytes`, at a multiple of 4 KiB; null if the system has no memory.
  void* take_large(std::size_t bytes);
  void give_large(void* block) noexcept;

  void release_unused();
  std::int64_t reserved_bytes();

  // Around a fork.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  struct Chunk {
    std::size_t bytes;
    std::size_t cut = 0;     // bytes from the start that were made blocks
    std::size_t unused = 0;  // bytes of blocks in free lists; filled and used by release_chunks only
  };
  struct FreeLarge {
    std::size_t bytes;
    std::uintptr_t start;
    auto operator<=>(const FreeLarge&) const = default;
  };
  using FreeLargeSet = std::set<FreeLarge>;
  /// A large block, in use or free. While it is in use it keeps the node that will list it as free.
  struct Large {
    std::size_t bytes;
    FreeLargeSet::node_type node;
    bool used() const { return !node.empty(); }
  };
  using Larges = std::map<std::uintptr_t, Large>;
  using Chunks = std::map<std::uintptr_t, Chunk>;

  std::uint32_t cut_small(int size_class, std::uint32_t wanted, BlockList& list);
  Larges::iterator add_large(std::uintptr_t start, std::size_t bytes);
  Larges::iterator map_large(std::size_t need);
  Larges::iterator list_free(Larges::iterator block) noexcept;
  Chunks::iterator chunk_of(const void* block);
  void release_large();
  void release_chunks();

  std::mutex mutex_;
  std::array<BlockList, kSizeClasses> free_small_{};
  Chunks chunks_;
  std::uintptr_t cutting_[2] = {0, 0};  // the chunks in cutting: for blocks up to kLargestFine, and above
  Larges larges_;                       // all, by address; neighbours that touch are never both free
  FreeLargeSet free_large_;
  std::size_t free_large_bytes_ = 0;
  std::size_t used_large_bytes_ = 0;
  std::size_t peak_large_bytes_ = 0;
  std::size_t reserved_ = 0;
};

}  // namespace gradus::core
