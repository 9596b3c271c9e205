// Elements picked by an index: what the kernels of every device are given.
#pragma once

#include <gradus/core/dtype.h>
#include <gradus/core/shape.h>

#include <optional>
#include <vector>

namespace gradus::kernel {

// Names the elements of a strided tensor, in the order (outer, index, inner) in which `values` lie contiguously:
// outer[o] + index[i] * index_stride + inner[r] + l * stride, for l < length. All offsets are in elements.
struct Rows {
  std::vector<std::int64_t> outer, inner;
  const std::int64_t* index = nullptr;
  std::int64_t count = 0;         // entries of the index
  std::int64_t extent = 0;        // entries are below this
  std::int64_t index_stride = 1;  // elements from one position to the next
  std::int64_t length = 1, stride = 1;
  std::int64_t skip = -1;  // writes leave this position alone

  // All combinations of the positions of `sizes`, in row-major order.
  static std::vector<std::int64_t> offsets(const Shape& sizes, const Shape& strides);
  // Sets inner, length and stride from the dimensions after the index.
  void set_inner(const Shape& sizes, const Shape& strides);
};

// For each place p of `sizes` (the index's): the element of the tensor at p with index[p] along `dim`, and the element
// of `values` at p. `index` is contiguous; its entries are checked by the caller.
struct Scatter {
  Shape sizes;
  int dim = 0;
  const std::int64_t* index = nullptr;
  Shape strides;         // the tensor's
  Shape values_strides;  // those of the result of gather, or of the source of scatter
  std::int64_t extent;   // entries are below this
};

// What the entries of an index must be: in [low, high), or the one that is `ignored`.
struct IndexRange {
  const char* call;  // for the error
  std::int64_t low, high;
  std::optional<std::int64_t> ignored = {};
};

// Throws IndexError for the first of the contiguous entries that is something else.
void check_index(const std::int64_t* index, const Shape& sizes, const IndexRange& range);
// The same error, for the entry at `position`, which is `value`.
[[noreturn]] void refuse_index(const Shape& sizes, const IndexRange& range, std::int64_t position, std::int64_t value);

}  // namespace gradus::kernel
