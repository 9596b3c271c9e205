#include "kernels/cpu/index/sort.h"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/threads/parallel.h"
#include "core/visit.h"

namespace gradus::cpu {

namespace {

// Numbers become unsigned keys of the same order, so that one sort serves all types.
template <class K>
struct Keyed {
  K key;
  std::uint32_t place;
  bool operator<(const Keyed& other) const { return key != other.key ? key < other.key : place < other.place; }
};

template <class T>
auto key_of(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    using K = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr K sign = K{1} << (8 * sizeof(K) - 1);
    if (x != x) return static_cast<K>(~K{0});
    const K bits = std::bit_cast<K>(x == 0 ? T{0} : x);  // both zeros are equal
    return static_cast<K>(bits & sign ? ~bits : bits | sign);
  } else if constexpr (sizeof(T) == 8) {
    return static_cast<std::uint64_t>(x) ^ (std::uint64_t{1} << 63);
  } else {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(x)) ^ (std::uint32_t{1} << 31);
  }
}

template <class K>
using Row = std::vector<Keyed<K>>;

// Sorts by one byte after the other, lowest first; each pass keeps the order of equals.
template <class K>
void radix_sort(Row<K>& row, Row<K>& other) {
  std::array<std::array<std::uint32_t, 256>, sizeof(K)> counts{};
  for (const Keyed<K>& entry : row)
    for (std::size_t b = 0; b < sizeof(K); ++b) ++counts[b][entry.key >> (8 * b) & 0xff];
  other.resize(row.size());
  for (std::size_t b = 0; b < sizeof(K); ++b) {
    if (counts[b][row[0].key >> (8 * b) & 0xff] == row.size()) continue;  // the byte is the same in all
    std::uint32_t start = 0;
    for (std::uint32_t& count : counts[b]) start += std::exchange(count, start);
    for (const Keyed<K>& entry : row) other[counts[b][entry.key >> (8 * b) & 0xff]++] = entry;
    row.swap(other);
  }
}

template <class K>
void first_sorted(Row<K>& row, Row<K>& other, std::size_t k) {
  constexpr std::size_t kRadix = 512;  // shorter rows compare faster than they count
  const auto middle = row.begin() + static_cast<std::ptrdiff_t>(k);
  if (k * 16 <= row.size()) {
    std::partial_sort(row.begin(), middle, row.end());
  } else {
    if (k < row.size()) {
      std::nth_element(row.begin(), middle, row.end());
      row.resize(k);
      // The part found is in no order, which radix passes would keep among equals.
      std::sort(row.begin(), row.end());
    } else if (row.size() < kRadix) {
      std::sort(row.begin(), row.end());
    } else {
      radix_sort(row, other);
    }
  }
}

template <class T>
void sort_as(const void* x, std::int64_t rows, std::int64_t n, std::int64_t k, bool descending,
             std::int64_t* positions) {
  using K = decltype(key_of(T{}));
  core::parallel_for(rows, std::max<std::int64_t>(1, 4096 / n), [&](std::int64_t begin, std::int64_t end) {
    Row<K> row, other;
    for (std::int64_t r = begin; r < end; ++r) {
      const T* from = static_cast<const T*>(x) + r * n;
      row.resize(static_cast<std::size_t>(n));
      for (std::size_t i = 0; i < row.size(); ++i) {
        const K key = key_of(from[i]);
        row[i] = {descending ? static_cast<K>(~key) : key, static_cast<std::uint32_t>(i)};
      }
      first_sorted(row, other, static_cast<std::size_t>(k));
      for (std::int64_t i = 0; i < k; ++i) positions[r * k + i] = row[static_cast<std::size_t>(i)].place;
    }
  });
}

}  // namespace

void sort_rows(Dtype dtype, const void* x, std::int64_t rows, std::int64_t n, std::int64_t k, bool descending,
               std::int64_t* positions) {
  if (rows == 0 || k == 0) return;
  if (dtype == kBool) dtype = kUInt8;
  visit<std::uint8_t, std::int32_t, std::int64_t, float, double>(
      "sort", dtype, [&]<class T>(T) { sort_as<T>(x, rows, n, k, descending, positions); });
}

}  // namespace gradus::cpu
