// Numbers per spatial dimension: the arguments of convolutions and pooling.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <gradus/core/error.h>

namespace gradus {

// One number for all N dimensions, or one for each: `3`, `{3, 5}` (height before width). ValueError for another count.
template <int N>
class Spatial {
 public:
  template <std::integral T>
  Spatial(T all) : single_(true) {
    values_.fill(static_cast<std::int64_t>(all));
  }
  Spatial(std::initializer_list<std::int64_t> each) {
    if (each.size() != 1 && each.size() != N) {
      throw ValueError("Spatial: needs 1 or " + std::to_string(N) + " numbers, got " + std::to_string(each.size()));
    }
    for (std::size_t i = 0; i < N; ++i) values_[i] = each.begin()[each.size() == 1 ? 0 : i];
  }
  std::int64_t operator[](int i) const { return values_[static_cast<std::size_t>(i)]; }
  std::int64_t& operator[](int i) { return values_[static_cast<std::size_t>(i)]; }
  bool is_single() const { return single_; }  // given as one number: modules print it so
  friend bool operator==(const Spatial& a, const Spatial& b) { return a.values_ == b.values_; }

 private:
  std::array<std::int64_t, N> values_{};
  bool single_ = false;
};

// One number for all dimensions, or one for each; only the call knows how many there are. Empty: not given.
template <class T>
class PerDimension : public std::vector<T> {
 public:
  PerDimension() = default;
  template <class U>
  requires std::is_arithmetic_v<U> PerDimension(U all) : std::vector<T>(1, static_cast<T>(all)) {}
  PerDimension(std::initializer_list<T> each) : std::vector<T>(each) {}
  PerDimension(std::vector<T> each) : std::vector<T>(std::move(each)) {}
};

// The padding of a convolution: zeros on both sides of each dimension, or a rule: "valid" is none, and with "same" the
// result has the size of the input (strides must be 1; where the number of zeros is odd, the end gets one more).
template <int N>
class ConvPadding {
 public:
  template <std::integral T>
  ConvPadding(T all) : size_(all) {}
  ConvPadding(std::initializer_list<std::int64_t> each) : size_(each) {}
  ConvPadding(const Spatial<N>& size) : size_(size) {}
  ConvPadding(const char* rule) : size_(0), rule_(rule) {
    if (rule_ != "same" && rule_ != "valid") {
      throw ValueError("padding: must be numbers, 'same' or 'valid', got '" + rule_ + "'");
    }
  }
  const Spatial<N>& size() const { return size_; }   // zeros for a rule
  const std::string& rule() const { return rule_; }  // empty for numbers
  bool is_same() const { return rule_ == "same"; }

 private:
  Spatial<N> size_;
  std::string rule_;
};

}  // namespace gradus
