// Sorting rows: runs of 1, 2, 4, ... elements are merged, each element finding its place in the merged run by itself.
#include <algorithm>
#include <bit>
#include <utility>

#include "core/visit.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/launch.h"

namespace gradus::gpu {

namespace {

// Numbers become unsigned keys of the same order, so that one merge serves all types.
template <class T>
GRADUS_DEVICE std::uint64_t key_of(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    using K = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr K sign = K{1} << (8 * sizeof(K) - 1);
    if (x != x) return ~std::uint64_t{0};
    const K bits = std::bit_cast<K>(x == 0 ? T{0} : x);  // both zeros are equal
    return static_cast<K>((bits & sign) != 0 ? ~bits : bits | sign);
  } else {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(x)) ^ (std::uint64_t{1} << 63);
  }
}

struct Entry {
  std::uint64_t key;
  std::int64_t place;
};

template <class T>
struct MakeEntries {
  std::int64_t n;
  bool descending;
  Global<const T> x;
  Global<Entry> entries;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::uint64_t key = key_of(x[i]);
    entries[i] = {descending ? ~key : key, i % n};
  }
};

struct Merge {
  std::int64_t n, width;
  Global<const Entry> from;
  Global<Entry> to;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t at = i % n, row = i - at, run = at / width, begin = run * width;
    const bool left = run % 2 == 0;
    const std::int64_t pair = left ? begin : begin - width;
    std::int64_t low = left ? begin + width : pair, high = low + width;
    if (low > n) low = n;
    if (high > n) high = n;
    const std::int64_t first = low;
    const Entry own = from[i];
    // How many of the other run come before it: of equals those of the left run do.
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      const std::uint64_t key = from[row + middle].key;
      if (left ? key < own.key : key <= own.key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    to[row + pair + (at - begin) + (low - first)] = own;
  }
};

struct StorePlaces {
  std::int64_t n, k;
  Global<const Entry> entries;
  Global<std::int64_t> positions;
  GRADUS_DEVICE void operator()(std::int64_t i) const { positions[i] = entries[i / k * n + i % k].place; }
};

}  // namespace

void sort_rows(Dtype dtype, const void* x, Int rows, Int n, Int k, bool descending, Int* positions) {
  if (rows == 0 || k == 0) return;
  const Scratch<Entry> a(rows * n), b(rows * n);
  Entry *from = a.get(), *to = b.get();
  if (dtype == kBool) dtype = kUInt8;
  visit<std::uint8_t, std::int32_t, std::int64_t, float, double>("sort", dtype, [&]<class T>(T) {
    launch(rows * n, MakeEntries<T>{n, descending, input<T>(x), from});
  });
  for (Int width = 1; width < n; width *= 2) {
    launch(rows * n, Merge{n, width, from, to});
    std::swap(from, to);
  }
  launch(rows * k, StorePlaces{n, k, from, positions});
}

}  // namespace gradus::gpu
