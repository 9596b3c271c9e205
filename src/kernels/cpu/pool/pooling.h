// Pooling over windows of up to three spatial dimensions: x [planes, in..., channels], y [planes, out...,
// channels]. float32 and float64; with several channels as pooling_rows.h says.
#pragma once

#include <bit>
#include <type_traits>

#include "kernels/pool.h"

namespace gradus::cpu {

using namespace kernel;

// y = the largest element of each window, and where it stands in its plane (the first of equal ones; a NaN wins), in
// planes of fewer than 2^31 elements. With `relu`, y = relu of that, which is the largest of the relus, too; where it
// is 0, the place is marked as closed.
void max_pool(Dtype dtype, const Pooling& pooling, bool relu, const void* x, void* y, std::int32_t* places);

// A closed place is the complement of an open one.
inline std::int64_t place_in_plane(std::int32_t place) { return place ^ (place >> 31); }
inline bool is_open(std::int32_t place) { return place >= 0; }
// g, or 0 for a closed place, by its bits: half of all places are closed, and no branch could be foretold.
template <class T>
T opened(T g, std::int32_t place) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  return std::bit_cast<T>(std::bit_cast<Bits>(g) & ~Bits{place >> 31});
}

// y[p, i] = x[p, places[p, i]], and its gradient: gx[p, places[p, i]] += g[p, i], gx zero elsewhere. What is picked
// from a closed place is 0, and nothing is put there.
void pool_pick(Dtype dtype, const Picks& picks, const void* x, void* y);
void pool_put(Dtype dtype, const Picks& picks, const void* g, void* gx);

// y = the mean of each window, and its gradient.
void avg_pool(Dtype dtype, const Pooling& pooling, const void* x, void* y);
void avg_pool_backward(Dtype dtype, const Pooling& pooling, const void* g, void* gx);

}  // namespace gradus::cpu
