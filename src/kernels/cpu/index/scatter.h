// gather and scatter: an index of as many dimensions as the tensor, replacing the position along one of them.
#pragma once

#include "kernels/index.h"

namespace gradus::cpu {

using namespace kernel;

void gather(Dtype dtype, const void* x, const Scatter& places, void* values);

// Values are taken in row-major order for any number of threads: of several for one place the last stays.
void scatter(Dtype dtype, void* y, const Scatter& places, const void* values);

// Not for bfloat16.
void scatter_add(Dtype dtype, void* y, const Scatter& places, const void* values);

}  // namespace gradus::cpu
