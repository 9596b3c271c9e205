// Sums, products and extremes along one dimension. Data is seen as [outer, reduced, inner], row-major;
// inner is 1 where the last dimension is reduced.
#pragma once

#include "kernels/reduce.h"

namespace gradus::cpu {

using namespace kernel;

// out[o, i] = over r of in[o, r, i]; the neutral element where `reduced` is 0. Types: float32 and float64; int64 for
// sum, prod, max and min; uint8 for max and min. The bits do not depend on the number of threads.
void reduce(Reduce kind, Dtype dtype, const void* in, void* out, const Extent& extent);

}  // namespace gradus::cpu
