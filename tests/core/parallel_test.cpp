#include "core/threads/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "gradus/core/error.h"

namespace gradus {
namespace {

using core::parallel_for;

class Parallel : public testing::Test {
 protected:
  ~Parallel() override { set_num_threads(before_); }

 private:
  int before_ = get_num_threads();
};

using RangeList = std::set<std::pair<std::int64_t, std::int64_t>>;

RangeList ranges_of(std::int64_t n, std::int64_t grain, std::int64_t align) {
  RangeList ranges;
  std::mutex mutex;
  parallel_for(
      n, grain,
      [&](std::int64_t begin, std::int64_t end) {
        std::lock_guard lock(mutex);
        EXPECT_TRUE(ranges.emplace(begin, end).second);
      },
      align);
  return ranges;
}

// The threads that take part when each of `pieces` pieces waits for the others.
std::size_t threads_of(int pieces) {
  std::set<std::thread::id> seen;
  std::mutex mutex;
  std::atomic<int> here{0};
  parallel_for(pieces, 1, [&](std::int64_t, std::int64_t) {
    {
      std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    }
    ++here;
    while (here < pieces) std::this_thread::yield();
  });
  return seen.size();
}

TEST_F(Parallel, RangesCoverAllOnceAndKeepTheirAlignment) {
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    EXPECT_EQ(get_num_threads(), threads);
    for (const std::int64_t n : {0, 1, 2, 63, 64, 65, 127, 128, 1000, 4097}) {
      for (const std::int64_t grain : {0, 1, 64, 100, 5000}) {
        for (const std::int64_t align : {1, 16, 64}) {
          const RangeList ranges = ranges_of(n, grain, align);
          std::int64_t next = 0;
          for (const auto& [begin, end] : ranges) {
            ASSERT_EQ(begin, next);
            ASSERT_LT(begin, end);
            ASSERT_EQ(begin % align, 0);
            next = end;
          }
          ASSERT_EQ(next, n);
          ASSERT_LE(ranges.size(), static_cast<std::size_t>(4 * threads));
          if (n <= grain) {
            ASSERT_LE(ranges.size(), 1u);
          }
        }
      }
    }
  }
}

TEST_F(Parallel, WorkIsSpreadOverAsManyThreadsAsAreWorthIt) {
  set_num_threads(4);
  EXPECT_EQ(ranges_of(400, 100, 1).size(), 4u);
  EXPECT_EQ(ranges_of(150, 100, 1).size(), 2u);
  EXPECT_EQ(ranges_of(100, 100, 1).size(), 1u);
  EXPECT_EQ(ranges_of(400, 1, 400).size(), 1u);
  EXPECT_EQ(ranges_of(800, 100, 1).size(), 8u);
  EXPECT_EQ(ranges_of(100000, 100, 1).size(), 16u);
  EXPECT_EQ(threads_of(4), 4u);
}

TEST_F(Parallel, OneThatIsKeptAwayLeavesItsShareToTheOthers) {
  set_num_threads(2);
  const auto caller = std::this_thread::get_id();
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> done{0}, here{0};
    parallel_for(8, 1, [&](std::int64_t, std::int64_t) {
      if (std::this_thread::get_id() == caller) {
        ++here;
      } else {
        while (done < 7) std::this_thread::yield();
      }
      ++done;
    });
    EXPECT_EQ(done, 8);
    EXPECT_GE(here, 7);
  }
}

TEST_F(Parallel, HugeCountsDoNotOverflow) {
  set_num_threads(3);
  const std::int64_t n = std::numeric_limits<std::int64_t>::max() - 5;
  const RangeList ranges = ranges_of(n, 1, 1);
  EXPECT_EQ(ranges.size(), 12u);
  EXPECT_EQ(ranges.begin()->first, 0);
  EXPECT_EQ(ranges.rbegin()->second, n);
}

// Under ThreadSanitizer this shows that what is written before, in and after a region counts as ordered.
TEST_F(Parallel, ThreadsSeeWhatWasWrittenBeforeAndTheCallerWhatTheyWrote) {
  set_num_threads(4);
  std::vector<std::int64_t> values(10000);
  for (int round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += round;
    std::vector<std::int64_t> partial(values.size() / 100, 0);
    parallel_for(static_cast<std::int64_t>(partial.size()), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        for (std::int64_t j = i * 100; j < (i + 1) * 100; ++j) {
          values[static_cast<std::size_t>(j)] += 1;
          partial[static_cast<std::size_t>(i)] += values[static_cast<std::size_t>(j)];
        }
      }
    });
    const std::int64_t each = (round + 1) * (round + 2) / 2;
    ASSERT_EQ(std::accumulate(partial.begin(), partial.end(), std::int64_t{0}), each * 10000);
  }
}

#if defined(__SANITIZE_THREAD__)
// And this that it does not count as ordered what is written within a region.
TEST_F(Parallel, ThreadSanitizerSeesRacesBetweenTheThreadsOfARegion) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto race = [] {
    set_num_threads(2);
    std::int64_t sum = 0;
    std::atomic<int> here{0};
    parallel_for(2, 1, [&](std::int64_t begin, std::int64_t end) {
      here.fetch_add(1, std::memory_order_relaxed);  // which orders nothing
      while (here.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
      sum += end - begin;
    });
    std::exit(0);  // for which its reports put another status
  };
  EXPECT_EXIT(race(), testing::ExitedWithCode(66), "data race");
}
#endif

TEST_F(Parallel, NestedCallsStayInTheirThread) {
  set_num_threads(2);
  std::atomic<int> outer{0}, inner{0};
  parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
    ++outer;
    const auto here = std::this_thread::get_id();
    parallel_for(1000, 1, [&](std::int64_t begin, std::int64_t end) {
      ++inner;
      EXPECT_EQ(std::this_thread::get_id(), here);
      EXPECT_EQ(begin, 0);
      EXPECT_EQ(end, 1000);
    });
  });
  EXPECT_EQ(outer, 2);
  EXPECT_EQ(inner, 2);
}

TEST_F(Parallel, ExceptionsReachTheCaller) {
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    std::atomic<std::int64_t> others{0};
    try {
      parallel_for(300, 1, [&](std::int64_t begin, std::int64_t end) {
        if (begin <= 299 && end > 299) throw std::runtime_error("at the end");
        others += end - begin;
      });
      FAIL();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "at the end");
    }
    EXPECT_EQ(others, threads == 1 ? 0 : 275);
    EXPECT_THROW(parallel_for(300, 1, [](std::int64_t, std::int64_t) { throw 1; }), int);
  }
}

TEST_F(Parallel, TheNumberHoldsInEveryThread) {
  set_num_threads(3);
  std::size_t threads = 0;
  std::thread([&] { threads = threads_of(3); }).join();
  EXPECT_EQ(threads, 3u);
  std::thread([] { set_num_threads(2); }).join();
  EXPECT_EQ(get_num_threads(), 2);
  EXPECT_EQ(threads_of(2), 2u);
}

TEST_F(Parallel, CallersInSeveralThreadsDoNotDisturbEachOther) {
  set_num_threads(2);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        parallel_for(1000, 1, [&](std::int64_t begin, std::int64_t end) { total += end - begin; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 300000);
}

TEST_F(Parallel, RefusesFewerThanOneThread) {
  const int before = get_num_threads();
  for (const int count : {0, -1, std::numeric_limits<int>::min()}) {
    EXPECT_THROW(set_num_threads(count), ValueError);
    EXPECT_EQ(get_num_threads(), before);
  }
}

// How many of four threads' halves of the smallest normal number come out as zero.
int flushed() {
  std::atomic<int> zeros{0};
  parallel_for(4, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      volatile float small = std::numeric_limits<float>::min();
      small = small * 0.5f;
      volatile float denormal = std::numeric_limits<float>::denorm_min();
      denormal = denormal * 8388608.0f;  // an ordinary number, unless the operand counts as zero
      if (small == 0.0f && denormal == 0.0f) ++zeros;
    }
  });
  return zeros;
}

TEST_F(Parallel, FlushingDenormalsHoldsInAllThreads) {
  set_num_threads(4);
  EXPECT_EQ(flushed(), 0);
  if (!set_flush_denormal(true)) GTEST_SKIP();
  EXPECT_EQ(flushed(), 4);
  EXPECT_TRUE(set_flush_denormal(false));
  EXPECT_EQ(flushed(), 0);
}

}  // namespace
}  // namespace gradus
