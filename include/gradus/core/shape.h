// Sizes and strides: a small array of at most kMaxRank numbers, held in place.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <vector>

namespace gradus {

inline constexpr int kMaxRank = 16;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) { assign(dims.begin(), dims.size()); }
  Shape(const std::vector<std::int64_t>& dims) { assign(dims.data(), dims.size()); }
  Shape(const Shape& other) { copy(other); }
  Shape& operator=(const Shape& other) {
    copy(other);
    return *this;
  }

  int rank() const { return rank_; }
  int size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  // No bounds check: callers hold a checked position (see wrap_dim).
  std::int64_t operator[](int i) const { return dims_[i]; }
  std::int64_t& operator[](int i) { return dims_[i]; }
  std::int64_t back() const { return dims_[rank_ - 1]; }
  const std::int64_t* begin() const { return dims_; }
  const std::int64_t* end() const { return dims_ + rank_; }
  std::int64_t* begin() { return dims_; }
  std::int64_t* end() { return dims_ + rank_; }

  void push_back(std::int64_t dim);
  void insert(int position, std::int64_t dim);
  void erase(int position);
  void resize(int rank);  // new entries are zero

  // The product of the sizes; 1 for a scalar.
  std::int64_t numel() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[i];
    return n;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.dims_[i] != b.dims_[i]) return false;
    return true;
  }

 private:
  void assign(const std::int64_t* dims, std::size_t rank);
  void copy(const Shape& other) {
    rank_ = other.rank_;
    for (int i = 0; i < rank_; ++i) dims_[i] = other.dims_[i];
  }

  std::int64_t dims_[kMaxRank];
  int rank_ = 0;
};

// "[64, 128]"
std::string to_string(const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

// Row-major strides in elements.
Shape contiguous_strides(const Shape& sizes);

// A dimension given from the end when negative, as 0 <= dim < rank; a scalar accepts 0 and -1. Throws IndexError.
int wrap_dim(const char* call, std::int64_t dim, int rank);

// NumPy's rule: sizes aligned at the end, 1 stretches. Throws ShapeError naming both.
Shape broadcast_shapes(const char* call, const Shape& a, const Shape& b);

// Refuses negative sizes and products beyond the address space. Throws ShapeError.
void check_sizes(const char* call, const Shape& sizes);

}  // namespace gradus
