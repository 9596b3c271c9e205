// What index_select, embedding, x[i, j] and assignment to it are made of: one index that replaces some dimensions.
#pragma once

#include <gradus/tensor.h>

namespace gradus::ops {

// `index` as contiguous int64, every entry checked to be below `size` and not negative; with `from_end` negative ones
// count from the end. DtypeError unless int64 or int32; IndexError names the call, the range and the entry.
Tensor checked_index(const char* call, const Tensor& index, std::int64_t size, bool from_end);

// The row-major positions at which a bool tensor is true, ascending: int64 [n].
Tensor true_positions(const Tensor& mask);

// Where an index stands in a tensor.
struct Picked {
  Shape dims;             // the dimensions it replaces, ascending
  bool in_front = false;  // its own dimension comes first in the result; else it takes the place of dims[0]
};

// The sizes of what `count` positions pick from a tensor of `sizes`.
Shape picked_sizes(const Shape& sizes, const Picked& where, std::int64_t count);

// x at `positions`: contiguous int64 [n], row-major over `where.dims`, checked before. Differentiable. No gradient goes
// to position `skip`.
Tensor pick(const char* name, const Tensor& x, const Picked& where, const Tensor& positions, std::int64_t skip = -1);

// A copy of x with values, of the sizes picked and of x's type, put or added at the positions. Differentiable.
Tensor put(const char* name, const Tensor& x, const Picked& where, const Tensor& positions, const Tensor& values,
           bool accumulate);

// The same into y itself; records nothing and does not count the change.
void put_into(const Tensor& y, const Picked& where, const Tensor& positions, const Tensor& values, bool accumulate);

}  // namespace gradus::ops
