// Rows picked by an index: what index_select, embedding, x[i, j] and their gradients read and write.
#pragma once

#include <gradus/dtype.h>
#include <gradus/shape.h>

#include <vector>

namespace gradus::cpu {

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

// values = x at the rows.
void pick_rows(Dtype dtype, const void* x, const Rows& rows, void* values);

// y at the rows = values; of several values for one place the last one stays.
void put_rows(Dtype dtype, void* y, const Rows& rows, const void* values);

// y at the rows += values, added in the order of the index for any number of threads. Not for bfloat16.
void add_rows(Dtype dtype, void* y, const Rows& rows, const void* values);

}  // namespace gradus::cpu
