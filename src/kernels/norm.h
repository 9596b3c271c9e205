// Normalisation: what the kernels of every device are given.
#pragma once

#include <gradus/core/dtype.h>

#include <cstdint>

namespace gradus::kernel {

// x is seen as [batch, groups, channels, space], contiguous. Moments are taken of each group, of each sample by itself
// or over the batch too; a weight and a bias belong to each channel of each group.
//
// Channels-last, x lies as [batch, space, groups], and is float32 or bfloat16 beside a float32 mean, weight and bias.
// Moments are then taken over the batch, and a residual and a relu may follow.
struct Normalization {
  Dtype dtype = kFloat32;  // of x
  std::int64_t batch = 1, groups = 1, channels = 1, space = 1;
  bool over_batch = false;  // then channels is 1
  bool channels_last = false;
  bool constant = false;  // mean and rstd do not depend on x

  std::int64_t moments() const { return over_batch ? groups : batch * groups; }
  std::int64_t per_moment() const { return channels * space * (over_batch ? batch : 1); }
  std::int64_t weights() const { return groups * channels; }
  std::int64_t rows() const { return batch * space; }
  std::int64_t numel() const { return batch * groups * channels * space; }
};

struct NormalizationGradients {
  // Given: the gradient of y; x (null: not wanted for anything); where a relu followed also the bias, or y if a
  // residual was added before it.
  const void *g = nullptr, *x = nullptr, *mean = nullptr, *rstd = nullptr, *weight = nullptr;
  bool relu = false;
  const void *bias = nullptr, *y = nullptr;
  // Wanted; null where not. gw and gb go together. g_residual may be null also where it is g itself.
  void *gx = nullptr, *g_residual = nullptr, *gw = nullptr, *gb = nullptr;
};

}  // namespace gradus::kernel
