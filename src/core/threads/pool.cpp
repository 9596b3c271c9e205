#include "core/threads/pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/threads/openmp.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gradus::core::detail {

namespace {

constexpr int kMostHelpers = 511;
// Long enough for the serial part between two regions of one step; a thread that sleeps takes as long to be woken.
constexpr auto kSpin = std::chrono::microseconds(100);
// A thread that loses its core while it spins for this long has others to share it with: spinning then takes from them,
// and from the thread that is waited for.
constexpr auto kLost = std::chrono::microseconds(50);
constexpr auto kCrowded = std::chrono::milliseconds(20);

using Clock = std::chrono::steady_clock;
std::atomic<Clock::rep> crowded_until{0};

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits a short while for done() to hold. Whether it does.
template <class F>
bool spin_until(F&& done) {
  if (done()) return true;
  Clock::time_point last = Clock::now();
  if (last.time_since_epoch().count() < crowded_until.load(std::memory_order_relaxed)) return false;
  const Clock::time_point end = last + kSpin;
  while (last < end) {
    for (int i = 0; i < 16; ++i) {
      if (done()) return true;
      pause();
    }
    const Clock::time_point now = Clock::now();
    if (now - last > kLost) {
      crowded_until.store((now + kCrowded).time_since_epoch().count(), std::memory_order_relaxed);
      return done();
    }
    last = now;
  }
  return false;
}

struct Region {
  const std::int64_t count;
  const int threads;
  void (*const piece)(void*, std::int64_t);
  void* const context;
  std::array<std::atomic<std::uint64_t>, kMostPieces / 64> taken{};
  alignas(64) std::atomic<int> helping{0};

  bool take(std::int64_t i) {
    std::atomic<std::uint64_t>& word = taken[static_cast<std::size_t>(i / 64)];
    const std::uint64_t bit = std::uint64_t{1} << i % 64;
    return !(word.load(std::memory_order_relaxed) & bit) && !(word.fetch_or(bit, std::memory_order_relaxed) & bit);
  }

  // Begins with a share of its own, the same from region to region, as its cache holds what it wrote there. Then it
  // takes from the ends of the others' shares.
  void work(int place) {
    const std::int64_t first = place * count / threads, end = (place + 1) * count / threads;
    for (std::int64_t i = first; i < end; ++i)
      if (take(i)) piece(context, i);
    for (std::int64_t i = first - 1; i >= 0; --i)
      if (take(i)) piece(context, i);
    for (std::int64_t i = count - 1; i >= end; --i)
      if (take(i)) piece(context, i);
  }

  void leave(int helpers) {
    // The region may be gone after the first line; the second uses its address only.
    if (helping.fetch_sub(helpers, std::memory_order_acq_rel) == helpers) helping.notify_one();
  }
};

struct alignas(64) Helper {
  std::atomic<Region*> region{nullptr};  // asked for; `&busy` while at work
  std::atomic<std::uint32_t> asleep{0};
  int place = 0;

  static Region busy;

  bool ask(Region& other) {
    Region* idle = nullptr;
    if (region.load(std::memory_order_relaxed) != nullptr || !region.compare_exchange_strong(idle, &other))
      return false;
    if (asleep.load() != 0) {
      asleep.store(0);
      asleep.notify_one();
    }
    return true;
  }

  bool take_back(Region& other) {
    Region* asked = &other;
    return region.load(std::memory_order_relaxed) == &other && region.compare_exchange_strong(asked, nullptr);
  }

  [[noreturn]] void serve() {
    const OneOpenMPThread serial_libraries;
    for (;;) {
      wait();
      Region* asked = region.load();
      if (asked == nullptr || !region.compare_exchange_strong(asked, &busy)) continue;
      asked->work(std::min(place, asked->threads - 1));
      region.store(nullptr);
      asked->leave(1);
    }
  }

  void wait() {
    const auto asked = [this] { return region.load(std::memory_order_relaxed) != nullptr; };
    if (spin_until(asked)) return;
    asleep.store(1);
    if (region.load() == nullptr) asleep.wait(1);
    asleep.store(0);
  }
};

constinit Region Helper::busy{.count = 0, .threads = 1, .piece = nullptr, .context = nullptr};

// Never destroyed: helpers still sleep in it when the process ends.
struct Pool {
  std::array<std::atomic<Helper*>, kMostHelpers> helpers{};
  std::atomic<int> count{0}, most{kMostHelpers};
  std::mutex growing;

  void grow(int wanted) {
    const std::lock_guard lock(growing);
    for (int i = count.load(); i < std::min(wanted, most.load()); ++i) {
      auto helper = std::make_unique<Helper>();
      helper->place = i + 1;
      if (!start(*helper)) {  // the others do its share
        most.store(i);
        return;
      }
      helpers[static_cast<std::size_t>(i)].store(helper.release());
      count.store(i + 1);
    }
  }

  // Signals are for the program's own threads.
  static bool start(Helper& helper) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    try {
      std::thread([&helper] { helper.serve(); }).detach();
    } catch (const std::system_error&) {
      started = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }
};

Pool& pool() {
  static Pool& only = *new Pool;
  // The child of a fork has the calling thread only: it starts helpers of its own when it needs them.
  [[maybe_unused]] static const int registered =
      pthread_atfork([] { pool().growing.lock(); }, [] { pool().growing.unlock(); },
                     [] {
                       pool().count.store(0);
                       pool().growing.unlock();
                     });
  return only;
}

}  // namespace

void run_pieces(std::int64_t count, int threads, void (*piece)(void*, std::int64_t), void* context) {
  Region region{.count = count, .threads = threads, .piece = piece, .context = context};
  Pool& all = pool();
  const int wanted = threads - 1;
  if (all.count.load(std::memory_order_acquire) < std::min(wanted, all.most.load(std::memory_order_relaxed)))
    all.grow(wanted);
  // Taken as helping before they know, so that none can be the last one to leave while others are still asked.
  region.helping.store(wanted, std::memory_order_relaxed);
  const int there = all.count.load(std::memory_order_acquire);
  const auto helper = [&](int i) -> Helper& {
    return *all.helpers[static_cast<std::size_t>(i)].load(std::memory_order_relaxed);
  };
  int asked = 0;
  for (int i = 0; i < there && asked < wanted; ++i) asked += helper(i).ask(region);
  region.work(0);
  int absent = wanted - asked;
  for (int i = 0; i < there && asked > 0; ++i) absent += helper(i).take_back(region);
  if (absent > 0) region.leave(absent);
  const auto done = [&] { return region.helping.load(std::memory_order_acquire) == 0; };
  if (spin_until(done)) return;
  for (int left = region.helping.load(); left != 0; left = region.helping.load()) region.helping.wait(left);
}

}  // namespace gradus::core::detail
