#include "gradus/core/memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/memory/allocator.h"
#include "core/memory/block_store.h"

namespace gradus {
namespace {

using core::allocate;
using core::deallocate;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCaching = false;
#else
constexpr bool kCaching = true;
#endif
constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Block {
  void* p;
  std::size_t bytes;
};

TEST(Memory, SizeClassesHoldTheirSizes) {
  for (std::size_t bytes = 1; bytes <= core::kLargestSmall; ++bytes) {
    const int index = core::size_class(bytes);
    ASSERT_LT(index, core::kSizeClasses);
    const std::size_t whole = core::class_bytes(index);
    ASSERT_GE(whole, bytes);
    ASSERT_EQ(whole % 64, 0u);
    ASSERT_LT(whole - bytes, bytes <= 1024 ? 64 : bytes / 4 + 1) << bytes;
    if (index > 0) {
      ASSERT_LT(core::class_bytes(index - 1), bytes);
    }
  }
  EXPECT_EQ(core::class_bytes(core::kSizeClasses - 1), core::kLargestSmall);
}

TEST(Memory, BlocksAreAlignedApartAndWritable) {
  std::vector<Block> blocks;
  for (std::size_t bytes = 1; bytes < 8 * kMiB; bytes += bytes / 3 + 1) {
    for (int copy = 0; copy < 3; ++copy) {
      blocks.push_back({allocate(bytes), bytes});
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(blocks.back().p) % 64, 0u);
      std::memset(blocks.back().p, static_cast<int>(blocks.size() % 251), bytes);
    }
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto* bytes = static_cast<const unsigned char*>(blocks[i].p);
    ASSERT_EQ(bytes[0], (i + 1) % 251);
    ASSERT_EQ(std::memcmp(bytes, bytes + 1, blocks[i].bytes - 1), 0) << blocks[i].bytes;
  }
  for (const Block& block : blocks) deallocate(block.p, block.bytes);
}

TEST(Memory, NoBytesAreNull) {
  const MemoryStats before = memory_stats();
  EXPECT_EQ(allocate(0), nullptr);
  deallocate(nullptr, 0);
  EXPECT_EQ(memory_stats().allocations, before.allocations);
  EXPECT_EQ(memory_stats().current_bytes, before.current_bytes);
}

TEST(Memory, StatisticsAreExactForOneThread) {
  void* kept = allocate(700);
  reset_peak_memory();
  const MemoryStats start = memory_stats();
  EXPECT_EQ(start.peak_bytes, start.current_bytes);

  void* small = allocate(100);
  void* large = allocate(3 * kMiB);
  EXPECT_EQ(memory_stats().current_bytes, start.current_bytes + 100 + 3 * static_cast<std::int64_t>(kMiB));
  deallocate(large, 3 * kMiB);
  void* other = allocate(1000);
  const MemoryStats end = memory_stats();
  EXPECT_EQ(end.current_bytes, start.current_bytes + 1100);
  EXPECT_EQ(end.peak_bytes, start.current_bytes + 100 + 3 * static_cast<std::int64_t>(kMiB));
  EXPECT_EQ(end.allocations, start.allocations + 3);
  EXPECT_GE(end.reserved_bytes, end.current_bytes);
  deallocate(small, 100);
  deallocate(other, 1000);
  deallocate(kept, 700);

  reset_peak_memory();
  const std::int64_t low = memory_stats().peak_bytes;
  EXPECT_EQ(low, start.current_bytes - 700);
  deallocate(allocate(50), 50);
  EXPECT_EQ(memory_stats().peak_bytes, low + 50);
}

TEST(Memory, LargeBlocksAreCutFromFreeOnesAndJoinedAgain) {
  if (!kCaching) GTEST_SKIP();
  empty_cache();
  void* whole = allocate(32 * kMiB);
  const std::int64_t reserved = memory_stats().reserved_bytes;
  deallocate(whole, 32 * kMiB);
  std::vector<void*> parts;
  for (int i = 0; i < 16; ++i) parts.push_back(allocate(2 * kMiB));
  EXPECT_EQ(memory_stats().reserved_bytes, reserved);
  EXPECT_EQ(*std::min_element(parts.begin(), parts.end()), whole);
  // In an order that joins with the block below, with that above, and with both.
  for (const int i : {1, 0, 4, 5, 3, 2, 15, 8, 10, 9, 12, 6, 7, 11, 13, 14})
    deallocate(parts[static_cast<std::size_t>(i)], 2 * kMiB);
  void* again = allocate(32 * kMiB);
  EXPECT_EQ(again, whole);
  EXPECT_EQ(memory_stats().reserved_bytes, reserved);
  deallocate(again, 32 * kMiB);
}

TEST(Memory, TheSmallestFreeBlockThatFitsIsTaken) {
  if (!kCaching) GTEST_SKIP();
  empty_cache();
  void* large = allocate(20 * kMiB);
  void* between = allocate(2 * kMiB);
  void* small = allocate(6 * kMiB);
  void* end = allocate(2 * kMiB);
  deallocate(large, 20 * kMiB);
  deallocate(small, 6 * kMiB);
  void* taken = allocate(5 * kMiB);
  EXPECT_GE(taken, small);
  EXPECT_LT(taken, static_cast<char*>(small) + 6 * kMiB);
  for (const Block& block : {Block{taken, 5 * kMiB}, Block{between, 2 * kMiB}, Block{end, 2 * kMiB}})
    deallocate(block.p, block.bytes);
}

// A network's weights stay while activations of other sizes come and go: what is free between them is used.
TEST(Memory, LargeBlocksOfManySizesShareTheirMemory) {
  if (!kCaching) GTEST_SKIP();
  empty_cache();
  std::mt19937 random(3);
  std::vector<Block> kept, passing;
  const MemoryStats start = memory_stats();
  reset_peak_memory();
  for (int step = 0; step < 200; ++step) {
    for (int i = 0; i < 20; ++i) {
      const std::size_t bytes = kMiB + 1 + random() % (6 * kMiB);
      passing.push_back({allocate(bytes), bytes});
      std::memset(passing.back().p, step, 1);
      static_cast<unsigned char*>(passing.back().p)[bytes - 1] = static_cast<unsigned char>(step);
    }
    if (step % 10 == 0) {
      kept.push_back(passing.back());
      passing.pop_back();
    }
    std::shuffle(passing.begin(), passing.end(), random);
    for (; passing.size() > 2; passing.pop_back()) {
      ASSERT_EQ(*static_cast<unsigned char*>(passing.back().p),
                static_cast<unsigned char*>(passing.back().p)[passing.back().bytes - 1]);
      deallocate(passing.back().p, passing.back().bytes);
    }
  }
  const MemoryStats end = memory_stats();
  EXPECT_LT(end.reserved_bytes - start.reserved_bytes, (end.peak_bytes - start.current_bytes) * 5 / 4);
  for (const Block& block : kept) deallocate(block.p, block.bytes);
  for (const Block& block : passing) deallocate(block.p, block.bytes);
  empty_cache();
  EXPECT_LE(memory_stats().reserved_bytes, start.reserved_bytes);
}

TEST(Memory, EmptyCacheGivesAllUnusedBack) {
  if (!kCaching) GTEST_SKIP();
  void* in_use = allocate(5000);
  std::memset(in_use, 7, 5000);
  empty_cache();
  const std::int64_t before = memory_stats().reserved_bytes;
  for (int round = 0; round < 2; ++round) {
    std::vector<Block> blocks;
    for (std::size_t bytes = 1; bytes < 40 * kMiB; bytes += bytes / 5 + 1) blocks.push_back({allocate(bytes), bytes});
    EXPECT_GT(memory_stats().reserved_bytes, before + 200 * static_cast<std::int64_t>(kMiB));
    for (const Block& block : blocks) deallocate(block.p, block.bytes);
    EXPECT_GT(memory_stats().reserved_bytes, before + 200 * static_cast<std::int64_t>(kMiB));
    empty_cache();
    EXPECT_LE(memory_stats().reserved_bytes, before);
  }
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(static_cast<unsigned char*>(in_use)[i], 7);
  deallocate(in_use, 5000);
}

TEST(Memory, CacheOfLargeBlocksIsBounded) {
  if (!kCaching) GTEST_SKIP();
  empty_cache();
  // Sizes that fit no earlier block: each is smaller than the last by more than an eighth.
  const std::int64_t before = memory_stats().reserved_bytes;
  std::int64_t most = 0;
  for (std::size_t bytes = 600 * kMiB; bytes > 16 * kMiB; bytes = bytes * 4 / 5) {
    deallocate(allocate(bytes), bytes);
    most = std::max(most, memory_stats().reserved_bytes - before);
  }
  EXPECT_LT(most, 2000 * static_cast<std::int64_t>(kMiB));
  empty_cache();
}

TEST(Memory, RefusesWithWhatWasAskedAndHeld) {
  const MemoryStats before = memory_stats();
  for (const std::size_t bytes : {std::size_t{1} << 50, std::size_t{1} << 62, SIZE_MAX - 63, SIZE_MAX}) {
    try {
      allocate(bytes);
      FAIL() << bytes;
    } catch (const OutOfMemory& error) {
      EXPECT_NE(std::string(error.what()).find("asked for " + std::to_string(bytes) + " bytes"), std::string::npos);
      EXPECT_NE(std::string(error.what()).find(" with " + std::to_string(before.current_bytes) + " bytes"),
                std::string::npos);
    }
  }
  EXPECT_EQ(memory_stats().current_bytes, before.current_bytes);
  EXPECT_EQ(memory_stats().allocations, before.allocations);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Memory, EmptiesTheCacheBeforeRefusing) {
  void* cached = allocate(512 * kMiB);
  deallocate(cached, 512 * kMiB);
  std::size_t pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) GTEST_SKIP();
  ASSERT_EQ(std::fscanf(file, "%zu", &pages), 1);
  std::fclose(file);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &old), 0);
  rlimit tight = old;
  tight.rlim_cur = pages * 4096 + 128 * kMiB;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  void* block = nullptr;
  EXPECT_NO_THROW(block = allocate(576 * kMiB));
  EXPECT_THROW(allocate(576 * kMiB), OutOfMemory);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &old), 0);
  deallocate(block, 576 * kMiB);
  empty_cache();
}
#endif

TEST(Memory, BlocksMayBeFreedByOtherThreads) {
  const MemoryStats before = memory_stats();
  std::vector<std::atomic<Block*>> mailboxes(64);
  std::atomic<bool> damaged{false};
  const auto release = [&](Block* block) {
    if (block == nullptr) return;
    const auto* bytes = static_cast<const unsigned char*>(block->p);
    if (bytes[0] != static_cast<unsigned char>(block->bytes) || bytes[block->bytes - 1] != bytes[0]) damaged = true;
    deallocate(block->p, block->bytes);
    delete block;
  };
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 20000; ++i) {
      const std::size_t bytes = 1 + random() % (std::size_t{1} << (6 + random() % 16));
      auto* block = new Block{allocate(bytes), bytes};
      static_cast<unsigned char*>(block->p)[0] = static_cast<unsigned char>(bytes);
      static_cast<unsigned char*>(block->p)[bytes - 1] = static_cast<unsigned char>(bytes);
      release(mailboxes[random() % mailboxes.size()].exchange(block));
      if (i % 5000 == 0) empty_cache();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
  for (auto& mailbox : mailboxes) release(mailbox.exchange(nullptr));
  EXPECT_FALSE(damaged);
  EXPECT_EQ(memory_stats().current_bytes, before.current_bytes);
  EXPECT_EQ(memory_stats().allocations, before.allocations + 80000);
  if (kCaching) {  // the threads' own blocks came back to the process
    empty_cache();
    EXPECT_LE(memory_stats().reserved_bytes, before.reserved_bytes);
  }
}

struct HoldsBlock {
  Block block{nullptr, 0};
  ~HoldsBlock() {
    deallocate(block.p, block.bytes);
    void* another = allocate(300);
    std::memset(another, 1, 300);
    deallocate(another, 300);
  }
};
HoldsBlock freed_when_the_process_ends;
thread_local HoldsBlock freed_when_the_thread_ends;

TEST(Memory, BlocksMayBeFreedAfterTheThreadsOwnCacheWent) {
  const MemoryStats before = memory_stats();
  std::thread([] {
    // Made before the thread first allocates, so destroyed after its cache.
    freed_when_the_thread_ends.block.bytes = 200;
    freed_when_the_thread_ends.block.p = allocate(200);
  }).join();
  EXPECT_EQ(memory_stats().current_bytes, before.current_bytes);
  EXPECT_EQ(memory_stats().allocations, before.allocations + 2);
  freed_when_the_process_ends.block = {allocate(100), 100};
}

}  // namespace
}  // namespace gradus
