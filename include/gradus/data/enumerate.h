// Python's enumerate: `for (auto [i, batch] : enumerate(loader))`.
#pragma once

#include <cstdint>
#include <iterator>
#include <utility>

namespace gradus {

// Pairs of a number, from `start` on, and an element. The element is what the range's own iterator returns: a reference
// stays one. A temporary range is kept for as long as the loop runs.
template <class Range>
class Enumerated {
  using Begin = decltype(std::begin(std::declval<Range&>()));
  using End = decltype(std::end(std::declval<Range&>()));

 public:
  Enumerated(Range&& range, std::int64_t start) : range_(std::forward<Range>(range)), start_(start) {}

  struct Iterator {
    std::int64_t number;
    Begin at;
    std::pair<std::int64_t, decltype(*std::declval<Begin&>())> operator*() { return {number, *at}; }
    Iterator& operator++() {
      ++number;
      ++at;
      return *this;
    }
    bool operator!=(const End& end) { return at != end; }
  };
  Iterator begin() { return {start_, std::begin(range_)}; }
  End end() { return std::end(range_); }

 private:
  Range range_;
  std::int64_t start_;
};

template <class Range>
Enumerated<Range> enumerate(Range&& range, std::int64_t start = 0) {
  return {std::forward<Range>(range), start};
}

}  // namespace gradus
