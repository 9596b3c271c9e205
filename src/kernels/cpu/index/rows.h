// Rows picked by an index: what index_select, embedding, x[i, j] and their gradients read and write.
#pragma once

#include "kernels/index.h"

namespace gradus::cpu {

using namespace kernel;

// values = x at the rows.
void pick_rows(Dtype dtype, const void* x, const Rows& rows, void* values);

// y at the rows = values; of several values for one place the last one stays.
void put_rows(Dtype dtype, void* y, const Rows& rows, const void* values);

// y at the rows += values, added in the order of the index for any number of threads. Not for bfloat16.
void add_rows(Dtype dtype, void* y, const Rows& rows, const void* values);

}  // namespace gradus::cpu
