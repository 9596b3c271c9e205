// Along one dimension of [outer, reduced, inner]: running sums, places of extremes, products of all others.
#pragma once

#include "kernels/cpu/reduce/reduce.h"

namespace gradus::cpu {

// indices[o, i] = the first r where in[o, r, i] is values[o, i], an element of in or NaN. float32, float64 and int64.
void find_first(Dtype dtype, const void* in, const void* values, std::int64_t* indices, const Extent& extent);

// out[o, r, i] = the sum of in[o, 0..r, i], or of in[o, r.., i] in reverse. float32 (summed in float64), float64,
// int64.
void cumsum(Dtype dtype, bool reverse, const void* in, void* out, const Extent& extent);

// out[r] of each row of [rows, n] = the product of the row's other elements. float32 and float64.
void prod_of_others(Dtype dtype, const void* in, void* out, std::int64_t rows, std::int64_t n);

}  // namespace gradus::cpu
