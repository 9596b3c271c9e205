// Convolutions over raw memory, with up to three spatial dimensions: x [batch, in_channels, in...],
// w [out_channels, in_channels / groups, kernel...], y [batch, out_channels, out...], all row-major and contiguous; or
// channels-last, x [batch, in..., in_channels] and y [batch, out..., out_channels], with the same w.
//
//   y[n, o, p] = bias[o] + sum over c, k of w[o, c, k] x[n, c, p * stride - padding + k * dilation]
//
// where positions outside x count as zero. The three operations below are linear in each operand, and the gradients of
// each are the other two.
#pragma once

#include <gradus/core/dtype.h>

#include <array>
#include <cstdint>
#include <memory>

#include "kernels/epilogue.h"

namespace gradus::kernel {

using Spatial3 = std::array<std::int64_t, 3>;  // depth, height, width; 1 (or no padding) where there are fewer

struct Convolution {
  std::int64_t batch = 1, groups = 1, in_channels = 1, out_channels = 1;  // channels of all groups together
  Spatial3 in{1, 1, 1}, kernel{1, 1, 1}, out{1, 1, 1};
  Spatial3 stride{1, 1, 1}, dilation{1, 1, 1};
  Spatial3 padding{0, 0, 0};   // before; how much there is after follows from `out`
  bool channels_last = false;  // x and y, and so their gradients

  friend bool operator==(const Convolution&, const Convolution&) = default;

  static std::int64_t volume(const Spatial3& s) { return s[0] * s[1] * s[2]; }
  std::int64_t weights() const { return out_channels * in_channels / groups * volume(kernel); }
  // Multiplications of each of the three operations.
  std::int64_t multiplications() const { return batch * volume(out) * weights(); }
};

// Weights brought into the layout of a library's loops. They fit any batch as long as the loops agree.
struct PackedWeights {
  virtual ~PackedWeights() = default;
};

// A convolution of channels-last memory as a device does it: what was found and made for its type and sizes, to be held
// by all that run it. x and y are float32 or bfloat16, w is either, and so is its gradient; sums are float32. Of an
// epilogue it takes a float32 bias, the residual and the relu.
struct ChannelsLast {
  virtual ~ChannelsLast() = default;
  // Null where there are no loops with this epilogue.
  virtual std::shared_ptr<const PackedWeights> pack(Dtype w_dtype, const void* w, const Epilogue& then) const = 0;
  virtual bool fits(const PackedWeights& w, const Epilogue& then) const = 0;
  virtual void forward(const void* x, const PackedWeights& w, const Epilogue& then, void* y) const = 0;
  // False, and nothing done, where there are no good loops for it.
  virtual bool backward_data(const void* g, Dtype w_dtype, const void* w, void* gx) const = 0;
  virtual void backward_weight(const void* g, const void* x, float* gw) const = 0;
};

}  // namespace gradus::kernel
