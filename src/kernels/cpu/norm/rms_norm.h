// Root-mean-square normalisation of contiguous rows. float32 and float64.
#pragma once

#include <gradus/core/dtype.h>

#include <cstdint>

namespace gradus::cpu {

// y = x * rstd * weight with rstd[r] = 1 / sqrt(mean(x[r]^2) + eps); a null weight stands for 1.
void rms_norm(Dtype dtype, double eps, const void* x, const void* weight, void* rstd, void* y, std::int64_t rows,
              std::int64_t n);

// Gradients from the gradient g of y; null for those that are not wanted.
void rms_norm_backward(Dtype dtype, const void* g, const void* x, const void* rstd, const void* weight, void* gx,
                       void* gw, std::int64_t rows, std::int64_t n);

}  // namespace gradus::cpu
