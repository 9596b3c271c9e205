// gather and scatter: an index of as many dimensions as the tensor, replacing the position along one of them.
#pragma once

#include <gradus/dtype.h>
#include <gradus/shape.h>

namespace gradus::cpu {

// For each place p of `sizes` (the index's): the element of the tensor at p with index[p] along `dim`, and the element
// of `values` at p. `index` is contiguous; its entries are checked by the caller.
struct Scatter {
  Shape sizes;
  int dim = 0;
  const std::int64_t* index = nullptr;
  Shape strides;         // the tensor's
  Shape values_strides;  // those of the result of gather, or of the source of scatter
};

void gather(Dtype dtype, const void* x, const Scatter& places, void* values);

// Values are taken in row-major order for any number of threads: of several for one place the last stays.
void scatter(Dtype dtype, void* y, const Scatter& places, const void* values);

// Not for bfloat16.
void scatter_add(Dtype dtype, void* y, const Scatter& places, const void* values);

}  // namespace gradus::cpu
