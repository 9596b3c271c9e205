#include <gradus/core/error.h>
#include <gradus/core/shape.h>

#include <algorithm>
#include <ostream>

namespace gradus {

void Shape::assign(const std::int64_t* dims, std::size_t rank) {
  if (rank > kMaxRank) {
    throw ShapeError("shape: at most " + std::to_string(kMaxRank) + " dimensions, got " + std::to_string(rank));
  }
  rank_ = static_cast<int>(rank);
  std::copy_n(dims, rank, dims_);
}

void Shape::push_back(std::int64_t dim) { insert(rank_, dim); }

void Shape::insert(int position, std::int64_t dim) {
  resize(rank_ + 1);
  std::copy_backward(dims_ + position, dims_ + rank_ - 1, dims_ + rank_);
  dims_[position] = dim;
}

void Shape::erase(int position) {
  std::copy(dims_ + position + 1, dims_ + rank_, dims_ + position);
  --rank_;
}

void Shape::resize(int rank) {
  if (rank > kMaxRank) {
    throw ShapeError("shape: at most " + std::to_string(kMaxRank) + " dimensions, got " + std::to_string(rank));
  }
  for (int i = rank_; i < rank; ++i) dims_[i] = 0;
  rank_ = rank;
}

std::string to_string(const Shape& shape) {
  std::string s = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i) s += ", ";
    s += std::to_string(shape[i]);
  }
  return s + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

Shape contiguous_strides(const Shape& sizes) {
  Shape strides;
  strides.resize(sizes.rank());
  std::int64_t step = 1;
  for (int i = sizes.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<std::int64_t>(sizes[i], 1);
  }
  return strides;
}

int wrap_dim(const char* call, std::int64_t dim, int rank) {
  const std::int64_t range = std::max(rank, 1);
  if (dim < -range || dim >= range) {
    throw IndexError(std::string(call) + ": dim must be in [" + std::to_string(-range) + ", " +
                     std::to_string(range - 1) + "], got " + std::to_string(dim));
  }
  return static_cast<int>(dim < 0 ? dim + range : dim);
}

Shape broadcast_shapes(const char* call, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const int rank = std::max(a.rank(), b.rank());
  Shape out;
  out.resize(rank);
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t x = i <= a.rank() ? a[a.rank() - i] : 1;
    const std::int64_t y = i <= b.rank() ? b[b.rank() - i] : 1;
    if (x != y && x != 1 && y != 1) {
      throw ShapeError(std::string(call) + ": sizes must be equal or 1 from the last dimension on, got " +
                       to_string(a) + " and " + to_string(b));
    }
    out[rank - i] = x == 1 ? y : x;
  }
  return out;
}

void check_sizes(const char* call, const Shape& sizes) {
  // Elements are at most 8 bytes wide; zero-size dimensions do not excuse a product that overflows.
  std::int64_t bytes = 8;
  bool overflow = false;
  for (std::int64_t size : sizes) {
    if (size < 0) throw ShapeError(std::string(call) + ": sizes must not be negative, got " + to_string(sizes));
    overflow |= __builtin_mul_overflow(bytes, std::max<std::int64_t>(size, 1), &bytes);
  }
  if (overflow) throw ShapeError(std::string(call) + ": too many elements to address, got " + to_string(sizes));
}

}  // namespace gradus
