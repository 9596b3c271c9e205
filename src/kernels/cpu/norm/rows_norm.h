// Batch normalisation of channels-last memory, x [rows, channels], together with what follows it in networks:
// y = relu((x - mean) * rstd * weight + bias + residual). x, y, their gradients and the residual are float32 or
// bfloat16; everything about channels is float32.
#pragma once

#include "kernels/epilogue.h"
#include "kernels/norm.h"

namespace gradus::cpu {

using namespace kernel;

// As moments() and the others of normalization.h, which call these. There is at least one row.
void rows_moments(const Normalization& n, double floor, const void* x, float* mean, double* var);
void rows_normalize(const Normalization& n, const void* x, const void* mean, const void* rstd, const void* weight,
                    const Epilogue& then, void* y);
void rows_norm_backward(const Normalization& n, const NormalizationGradients& to);

}  // namespace gradus::cpu
