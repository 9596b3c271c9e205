// Batch normalisation of channels-last memory, x [rows, channels], together with what follows it in networks:
// y = relu((x - mean) * rstd * weight + bias + residual). x, y, their gradients and the residual are float32 or
// bfloat16; everything about channels is float32.
#pragma once

#include <gradus/dtype.h>

#include <cstdint>

namespace gradus::cpu {

struct RowsNorm {
  Dtype dtype = kFloat32;
  std::int64_t rows = 0, channels = 0;
  bool constant = false;  // mean and rstd do not depend on x
  bool relu = false;
};

// The mean and the mean square deviation of each channel. There is at least one row. `floor`: as that of moments.
void rows_moments(const RowsNorm& n, double floor, const void* x, float* mean, double* var);

// Null pointers: no weight, no bias, nothing to add.
void rows_normalize(const RowsNorm& n, const void* x, const float* mean, const float* rstd, const float* weight,
                    const float* bias, const void* residual, void* y);

struct RowsGradients {
  // Given: the gradient of y; x (null: not wanted for anything); y, where a residual was added before a relu.
  const void *g = nullptr, *x = nullptr, *y = nullptr;
  const float *mean = nullptr, *rstd = nullptr, *weight = nullptr, *bias = nullptr;
  // Wanted; null where not. gw and gb go together. g_residual may be null also where it is g itself.
  void *gx = nullptr, *g_residual = nullptr;
  float *gw = nullptr, *gb = nullptr;
};
void rows_norm_backward(const RowsNorm& n, const RowsGradients& to);

}  // namespace gradus::cpu
