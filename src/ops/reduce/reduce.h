// What reductions share: which dimensions go, what stays, and running a kernel over any strides.
#pragma once

#include <gradus/ops.h>

#include "kernels/dispatch/kernels.h"

namespace gradus::ops {

struct Reduction {
  std::uint32_t mask = 0;  // bit i: dimension i is reduced
  Shape from;              // the input's sizes
  Shape kept;              // the same with 1 for reduced dimensions: broadcasts against the input
  Shape result;            // the result's sizes
  std::int64_t count = 1;  // elements that go into one of the result

  bool reduces(int dim) const { return (mask >> dim & 1u) != 0; }
};

// Checks and wraps `dims`; an empty list stands for all. IndexError, ShapeError for a dimension named twice.
Reduction reduction(const char* call, const Tensor& x, const Dims& dims, bool keepdim);

// ShapeError unless there is something to take an extreme of.
void require_elements(const char* call, const Reduction& r);

// Reduces x, of any strides and of a type that the kernel knows, into a new contiguous tensor.
Tensor run_reduce(kernel::Reduce kind, const Tensor& x, const Reduction& r);

// A result (or its gradient) as it broadcasts against the input.
inline Tensor restored(const Tensor& y, const Reduction& r) { return y.sizes() == r.kept ? y : reshape(y, r.kept); }

// x's dimension `dim` between what comes before and after; x is contiguous.
kernel::Extent extent_around(const Shape& sizes, int dim);

}  // namespace gradus::ops
