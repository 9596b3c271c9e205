// Normalisation: what the kernels of every device are given.
#pragma once

#include <gradus/core/dtype.h>

#include <cstdint>

namespace gradus::kernel {

// x is seen as [batch, groups, channels, space], contiguous. Moments are taken of each group, of each sample by itself
// or over the batch too; a weight and a bias belong to each channel of each group.
struct Normalization {
  std::int64_t batch = 1, groups = 1, channels = 1, space = 1;
  bool over_batch = false;  // then channels is 1

  std::int64_t moments() const { return over_batch ? groups : batch * groups; }
  std::int64_t per_moment() const { return channels * space * (over_batch ? batch : 1); }
  std::int64_t weights() const { return groups * channels; }
  std::int64_t numel() const { return batch * groups * channels * space; }
};

// Channels-last memory, x [rows, channels].
struct RowsNorm {
  Dtype dtype = kFloat32;
  std::int64_t rows = 0, channels = 0;
  bool constant = false;  // mean and rstd do not depend on x
  bool relu = false;
};

struct RowsGradients {
  // Given: the gradient of y; x (null: not wanted for anything); y, where a residual was added before a relu.
  const void *g = nullptr, *x = nullptr, *y = nullptr;
  const float *mean = nullptr, *rstd = nullptr, *weight = nullptr, *bias = nullptr;
  // Wanted; null where not. gw and gb go together. g_residual may be null also where it is g itself.
  void *gx = nullptr, *g_residual = nullptr;
  float *gw = nullptr, *gb = nullptr;
};

}  // namespace gradus::kernel
