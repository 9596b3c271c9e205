// Batch normalisation of channels-last memory, x [rows, channels], together with what follows it in networks:
// y = relu((x - mean) * rstd * weight + bias + residual). x, y, their gradients and the residual are float32 or
// bfloat16; everything about channels is float32.
#pragma once

#include "kernels/norm.h"

namespace gradus::cpu {

using namespace kernel;

// The mean and the mean square deviation of each channel. There is at least one row. `floor`: as that of moments.
void rows_moments(const RowsNorm& n, double floor, const void* x, float* mean, double* var);

// Null pointers: no weight, no bias, nothing to add.
void rows_normalize(const RowsNorm& n, const void* x, const float* mean, const float* rstd, const float* weight,
                    const float* bias, const void* residual, void* y);

void rows_norm_backward(const RowsNorm& n, const RowsGradients& to);

}  // namespace gradus::cpu
