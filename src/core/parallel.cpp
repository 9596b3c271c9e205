#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <string>

#include "gradus/error.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace gradus {

namespace {

std::atomic<int> thread_count{0};  // 0: nobody asked yet
constinit thread_local bool serial = false;

// Of the mode that treats denormals as zero, both as results and as operands.
#if defined(__x86_64__)
constexpr unsigned kFlushBits = 0x8040;
unsigned flush_mode() { return _mm_getcsr() & kFlushBits; }
void set_flush_mode(unsigned bits) { _mm_setcsr((_mm_getcsr() & ~kFlushBits) | bits); }
#else
constexpr unsigned kFlushBits = 0;
unsigned flush_mode() { return 0; }
void set_flush_mode(unsigned) {}
#endif

// ThreadSanitizer sees neither the fork nor the join of OpenMP's regions; these say what they order. Each has a token
// of its own: with one for both, a thread that starts late would count as ordered behind one that is done already.
#if defined(__SANITIZE_THREAD__)
void say_released(void* token) { __tsan_release(token); }
void say_acquired(void* token) { __tsan_acquire(token); }
#else
void say_released(void*) {}
void say_acquired(void*) {}
#endif

struct Ranges {
  std::int64_t n, step, count;
  core::detail::RangeFunction function;
  void* body;
  unsigned flush;
  std::atomic<bool> failed{false};
  std::exception_ptr error{};

  void run(std::int64_t first, std::int64_t stride) {
    if (flush_mode() != flush) set_flush_mode(flush);
    try {
      for (std::int64_t i = first; i < count; i += stride) function(body, i * step, std::min(n, (i + 1) * step));
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
  }
};

// The one parallel region of the library. What the region itself shares is hidden from ThreadSanitizer, as it comes
// before the threads can say that they are ordered.
#if defined(__SANITIZE_THREAD__)
[[gnu::noinline, gnu::no_sanitize("thread")]]
#endif
void fork_and_join(Ranges* ranges, int threads) {
  say_released(ranges);
#pragma omp parallel num_threads(threads) firstprivate(ranges)
  {
    say_acquired(ranges);
    ranges->run(omp_get_thread_num(), omp_get_num_threads());
    say_released(&ranges->error);
  }
  say_acquired(&ranges->error);
}

}  // namespace

int get_num_threads() {
  const int count = thread_count.load(std::memory_order_relaxed);
  if (count > 0) return count;
  // Asked once, in a plain thread: code around a library call may set OpenMP's own number for that moment.
  static const int at_start = std::max(1, omp_get_max_threads());
  return at_start;
}

namespace {
[[maybe_unused]] const int asked_when_loaded = get_num_threads();
}

void set_num_threads(int count) {
  if (count < 1) throw ValueError("set_num_threads: need at least 1, got " + std::to_string(count));
  thread_count.store(count, std::memory_order_relaxed);
}

bool set_flush_denormal(bool flush) {
  if (kFlushBits == 0) return false;
  set_flush_mode(flush ? kFlushBits : 0);
  // Also for regions that other libraries start on the same threads.
  if (get_num_threads() > 1 && !serial && !omp_in_parallel()) {
    Ranges none{.n = 0, .step = 1, .count = 0, .function = nullptr, .body = nullptr, .flush = flush_mode()};
    fork_and_join(&none, get_num_threads());
  }
  return true;
}

core::SerialScope::SerialScope() : before_(serial), openmp_before_(omp_get_max_threads()) {
  serial = true;
  omp_set_num_threads(1);  // this thread's own; for the libraries that it calls
}

core::SerialScope::~SerialScope() {
  serial = before_;
  omp_set_num_threads(openmp_before_);
}

namespace core::detail {

void run_ranges(std::int64_t n, std::int64_t grain, std::int64_t align, RangeFunction function, void* body) {
  const std::int64_t worth = n / std::max<std::int64_t>(grain, 1) + 1;
  const std::int64_t threads = std::min<std::int64_t>(get_num_threads(), worth);
  if (threads < 2 || serial || omp_in_parallel()) return function(body, 0, n);
  const std::int64_t units = (n - 1) / align + 1;
  const std::int64_t step = ((units - 1) / threads + 1) * align;
  const std::int64_t count = (n - 1) / step + 1;
  if (count < 2) return function(body, 0, n);
  Ranges ranges{.n = n, .step = step, .count = count, .function = function, .body = body, .flush = flush_mode()};
  fork_and_join(&ranges, static_cast<int>(count));
  if (ranges.error) std::rethrow_exception(ranges.error);
}

}  // namespace core::detail

}  // namespace gradus
