// Weighed sums along one dimension: y[o, i, n] = sum over t of weights[i, t] x[o, index[i, t], n].
#pragma once

#include <gradus/dtype.h>

#include <cstdint>
#include <vector>

namespace gradus::cpu {

struct Taps {
  std::int64_t in = 0, out = 0, count = 1;  // `count` taps for each of `out` positions
  std::vector<std::int64_t> index;          // [out, count], in [0, in)
  std::vector<double> weights;              // [out, count]
};

// x [outer, in, inner], y [outer, out, inner]; float32 and float64.
void resample(Dtype dtype, const Taps& taps, std::int64_t outer, std::int64_t inner, const void* x, void* y);
// The gradient: gx[o, index[i, t], n] += weights[i, t] g[o, i, n].
void resample_backward(Dtype dtype, const Taps& taps, std::int64_t outer, std::int64_t inner, const void* g, void* gx);

}  // namespace gradus::cpu
