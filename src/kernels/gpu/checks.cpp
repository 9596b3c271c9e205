// Checks of indices. What a check finds is noted on the device, and thrown when the host next waits for it. Kernels
// that use an index read and write nothing beyond it, whatever it holds.
#include <deque>
#include <mutex>
#include <utility>

#include "kernels/gpu/kernels.h"
#include "kernels/gpu/recording.h"
#include "kernels/gpu/reducers.h"

namespace gradus::gpu {

namespace {

// The first entry that is none: of which check, where, and what.
struct Found {
  std::int64_t check = 0, position = 0, value = 0;
};

using First = ExtremeOf<std::int64_t, false>;

struct Check {
  std::int64_t number, n, low, high, ignored;
  bool has_ignored;
  Global<const std::int64_t> index;
  Global<Found> found;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t first = block.template reduce<First, std::int64_t>(n, [&](std::int64_t i) {
      const std::int64_t v = index[i];
      return (v >= low && v < high) || (has_ignored && v == ignored) ? First::identity() : i;
    });
    block.each(1, [&](std::int64_t) {
      if (first < n && found[0].check == 0) found[0] = {number, first, index[first]};
    });
  }
};

struct Asked {
  std::int64_t number;
  Shape sizes;
  IndexRange range;
};

// Of the device that this copy of the kernels serves.
struct Ledger {
  std::mutex mutex;
  std::deque<Asked> asked;  // since the host last waited
  // Those of recorded steps, which may find something at any time.
  std::vector<std::pair<const Recording*, Asked>> recorded;
  std::int64_t count = 0;
  Found* found = nullptr;
};
Ledger& ledger() {
  static Ledger* const all = new Ledger[128];
  return all[current_device()];
}

// Where checks note what they find.
void make_place(Ledger& book) {
  if (book.found != nullptr) return;
  book.found = static_cast<Found*>(allocate(sizeof(Found)));
  clear(book.found, sizeof(Found));
}

}  // namespace

void begin_recorded_checks() {
  const std::lock_guard lock(ledger().mutex);
  make_place(ledger());
}

void end_recorded_checks(const Recording* recording) {
  Ledger& book = ledger();
  const std::lock_guard lock(book.mutex);
  for (auto& [owner, asked] : book.recorded)
    if (owner == recording) book.asked.push_back(std::move(asked));
  std::erase_if(book.recorded, [&](const auto& one) { return one.first == recording; });
}

void check_index(const Int* index, const Shape& sizes, const IndexRange& range) {
  const Int n = sizes.numel();
  if (n == 0) return;
  Ledger& book = ledger();
  const std::lock_guard lock(book.mutex);
  make_place(book);
  Asked asked{++book.count, sizes, range};
  if (const Recording* const now = recording(); now != nullptr) {
    book.recorded.emplace_back(now, std::move(asked));
  } else {
    book.asked.push_back(std::move(asked));
  }
  launch_blocks(1, threads_for(n),
                Check{book.count, n, range.low, range.high, range.ignored.value_or(0), range.ignored.has_value(), index,
                      book.found});
}

void throw_bad_index() {
  Ledger& book = ledger();
  const std::lock_guard lock(book.mutex);
  if (book.asked.empty() && book.recorded.empty()) return;
  Found found;
  read_finished(&found, book.found, sizeof found);
  const auto asked = std::exchange(book.asked, {});
  if (found.check == 0) return;
  clear(book.found, sizeof(Found));
  const auto refuse = [&](const Asked& one) {
    if (one.number == found.check) kernel::refuse_index(one.sizes, one.range, found.position, found.value);
  };
  for (const Asked& one : asked) refuse(one);
  for (const auto& [owner, one] : book.recorded) refuse(one);
}

}  // namespace gradus::gpu
