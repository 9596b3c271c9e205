// Pooling of channels-last memory: x [planes, in..., channels], y [planes, out..., channels]. float32 and bfloat16;
// means and sums are taken in float32.
#pragma once

#include "kernels/cpu/pool/pooling.h"

namespace gradus::cpu {

// The largest element of each window in each channel, and where it stands: as max_pool.
void max_pool_rows(Dtype dtype, const Pooling& pooling, std::int64_t channels, bool relu, const void* x, void* y,
                   std::int32_t* places);

// y[p, i, c] = x[p, places[p, i, c], c], and its gradient.
void pool_pick_rows(Dtype dtype, std::int64_t planes, std::int64_t in_size, std::int64_t out_size,
                    std::int64_t channels, const void* x, const std::int32_t* places, void* y);
void pool_put_rows(Dtype dtype, std::int64_t planes, std::int64_t in_size, std::int64_t out_size, std::int64_t channels,
                   const void* g, const std::int32_t* places, void* gx);

// y = the mean of each window, and its gradient.
void avg_pool_rows(Dtype dtype, const Pooling& pooling, std::int64_t channels, const void* x, void* y);
void avg_pool_rows_backward(Dtype dtype, const Pooling& pooling, std::int64_t channels, const void* g, void* gx);

}  // namespace gradus::cpu
