// Weighed sums along one dimension: y[o, i, n] = sum over t of weights[i, t] x[o, index[i, t], n].
#pragma once

#include "kernels/pool.h"

namespace gradus::cpu {

using namespace kernel;

// x [outer, in, inner], y [outer, out, inner]; float32 and float64.
void resample(Dtype dtype, const Taps& taps, std::int64_t outer, std::int64_t inner, const void* x, void* y);
// The gradient: gx[o, index[i, t], n] += weights[i, t] g[o, i, n].
void resample_backward(Dtype dtype, const Taps& taps, std::int64_t outer, std::int64_t inner, const void* g, void* gx);

}  // namespace gradus::cpu
