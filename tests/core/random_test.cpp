#include "gradus/random.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <thread>
#include <vector>

namespace gradus {
namespace {

TEST(Generator, IsAValue) {
  Generator generator(7);
  EXPECT_EQ(generator.seed(), 7u);
  EXPECT_EQ(generator.offset(), 0u);
  EXPECT_EQ(generator.advance(5), 0u);
  EXPECT_EQ(generator.advance(3), 5u);
  EXPECT_EQ(generator.offset(), 8u);

  Generator copy = generator;
  EXPECT_EQ(copy, generator);
  EXPECT_EQ(copy.advance(1), generator.advance(1));
  copy.advance(1);
  EXPECT_FALSE(copy == generator);
  copy = generator;
  EXPECT_EQ(copy, generator);
  copy.manual_seed(7);
  EXPECT_EQ(copy, Generator(7));
  copy.set_offset(9);
  EXPECT_EQ(copy, generator);
  EXPECT_FALSE(Generator(7) == Generator(8));
  EXPECT_EQ(Generator().seed(), 67280421310721u);  // PyTorch's
}

TEST(Generator, DefaultIsSeededForTheProcess) {
  const Generator before = default_generator();
  default_generator().advance(3);
  manual_seed(11);
  EXPECT_EQ(default_generator(), Generator(11));
  std::thread([] { default_generator().advance(2); }).join();
  EXPECT_EQ(default_generator().offset(), 2u);
  default_generator() = before;
}

TEST(Generator, ThreadsDrawDisjointRanges) {
  Generator generator(1);
  std::vector<std::vector<std::uint64_t>> drawn(4);
  std::vector<std::thread> threads;
  for (auto& mine : drawn) {
    threads.emplace_back([&generator, &mine] {
      for (int i = 0; i < 2000; ++i) mine.push_back(generator.advance(16));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::uint64_t> offsets;
  for (const auto& mine : drawn) offsets.insert(mine.begin(), mine.end());
  EXPECT_EQ(offsets.size(), 8000u);
  EXPECT_EQ(*offsets.rbegin(), 7999u * 16);
  EXPECT_EQ(generator.offset(), 8000u * 16);
}

}  // namespace
}  // namespace gradus
