#include "core/threads/parallel.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>

#include "core/portable.h"
#include "core/threads/cpu_count.h"
#include "core/threads/pool.h"
#include "gradus/core/error.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
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

// More pieces than threads: one that gets its core late leaves the rest of its share to the others.
constexpr std::int64_t kPiecesEach = 4;

struct Ranges {
  std::int64_t n, step;
  core::detail::RangeFunction function;
  void* body;
  unsigned flush;
  std::atomic<bool> failed{false};
  std::exception_ptr error{};

  void run(std::int64_t i) {
    if (flush_mode() != flush) set_flush_mode(flush);
    const bool before = std::exchange(serial, true);
    try {
      // Not (i + 1) * step, which may be too large a number.
      function(body, i * step, i * step + std::min(step, n - i * step));
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
    serial = before;
  }
};

}  // namespace

int get_num_threads() {
  const int count = thread_count.load(std::memory_order_relaxed);
  if (count > 0) return count;
  static const int at_start = [] {
    const int asked = core::openmp_thread_count(std::getenv("OMP_NUM_THREADS"));
    return asked > 0 ? asked : core::cpu_count();
  }();
  return at_start;
}

void set_num_threads(int count) {
  if (count < 1) throw ValueError("set_num_threads: need at least 1, got " + std::to_string(count));
  thread_count.store(count, std::memory_order_relaxed);
}

bool set_flush_denormal(bool flush) {
  // Processors do not agree on which results are too small.
  if (kFlushBits == 0 || (flush && core::is_portable())) return false;
  set_flush_mode(flush ? kFlushBits : 0);
  return true;
}

core::SerialScope::SerialScope() : before_(std::exchange(serial, true)) {}

core::SerialScope::~SerialScope() { serial = before_; }

namespace core::detail {

void run_ranges(std::int64_t n, std::int64_t grain, std::int64_t align, RangeFunction function, void* body) {
  const std::int64_t each = std::max<std::int64_t>(grain, 1);
  const std::int64_t threads = std::min<std::int64_t>(get_num_threads(), n / each + 1);
  if (threads < 2 || serial || in_openmp_region()) return function(body, 0, n);
  const std::int64_t wanted = std::min(std::clamp(n / each, threads, threads * kPiecesEach), kMostPieces);
  const std::int64_t units = (n - 1) / align + 1;
  const std::int64_t step = ((units - 1) / wanted + 1) * align;
  const std::int64_t count = (n - 1) / step + 1;
  if (count < 2) return function(body, 0, n);
  Ranges ranges{.n = n, .step = step, .function = function, .body = body, .flush = flush_mode()};
  const auto run = [](void* all, std::int64_t i) { static_cast<Ranges*>(all)->run(i); };
  run_pieces(count, static_cast<int>(std::min(threads, count)), run, &ranges);
  if (ranges.error) std::rethrow_exception(ranges.error);
}

}  // namespace core::detail

}  // namespace gradus
