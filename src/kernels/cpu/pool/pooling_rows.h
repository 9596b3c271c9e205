// Pooling of channels-last memory: x [planes, in..., channels], y [planes, out..., channels]. float32 and bfloat16;
// means and sums are taken in float32.
#pragma once

#include "kernels/cpu/pool/pooling.h"

namespace gradus::cpu {

// As the functions of pooling.h, which call these where there are several channels.
void max_pool_rows(Dtype dtype, const Pooling& pooling, bool relu, const void* x, void* y, std::int32_t* places);
void pool_pick_rows(Dtype dtype, const Picks& picks, const void* x, void* y);
void pool_put_rows(Dtype dtype, const Picks& picks, const void* g, void* gx);
void avg_pool_rows(Dtype dtype, const Pooling& pooling, const void* x, void* y);
void avg_pool_rows_backward(Dtype dtype, const Pooling& pooling, const void* g, void* gx);

}  // namespace gradus::cpu
