// Convolutions over raw memory, with up to three spatial dimensions: x [batch, in_channels, in...],
// w [out_channels, in_channels / groups, kernel...], y [batch, out_channels, out...], all row-major and contiguous; or
// channels-last, x [batch, in..., in_channels] and y [batch, out..., out_channels], with the same w.
//
//   y[n, o, p] = bias[o] + sum over c, k of w[o, c, k] x[n, c, p * stride - padding + k * dilation]
//
// where positions outside x count as zero. The three operations below are linear in each operand, and the gradients of
// each are the other two.
#pragma once

#include <gradus/dtype.h>

#include <array>
#include <cstdint>
#include <memory>

namespace gradus::cpu {

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

// Row-major, float32 and float64. Where there is enough work several threads share it, in pieces that depend on the
// sizes alone.
void conv_forward(Dtype dtype, const Convolution& c, const void* x, const void* w, const void* bias, void* y);
// gx from the gradient g of y: the transposed convolution of g.
void conv_backward_data(Dtype dtype, const Convolution& c, const void* g, const void* w, void* gx);
void conv_backward_weight(Dtype dtype, const Convolution& c, const void* g, const void* x, void* gw);

// Weights brought into the layout of a library's loops. They fit any batch as long as the loops agree.
struct PackedWeights {
  virtual ~PackedWeights() = default;
};

// What follows the sum in one pass: y = relu(sum + bias + residual). A NaN may become 0 in this relu.
struct ConvEpilogue {
  const float* bias = nullptr;
  const void* residual = nullptr;  // laid out as y
  bool relu = false;
};

// Channels-last, x and y in float32 or bfloat16, w and its gradient in either, sums in float32.
//
// Whether oneDNN has good loops for the convolution and the gradient of w on this machine; what is below may be called
// only then. Its loops for the gradient of x may still be missing: false, and nothing is done.
bool conv_serves_channels_last(Dtype dtype, const Convolution& c);
void conv_forward(Dtype dtype, const Convolution& c, const void* x, const PackedWeights& w, const ConvEpilogue& then,
                  void* y);
bool conv_backward_data(Dtype dtype, const Convolution& c, const void* g, Dtype w_dtype, const void* w, void* gx);
void conv_backward_weight(Dtype dtype, const Convolution& c, const void* g, const void* x, float* gw);
// Null where there are no loops with this epilogue.
std::shared_ptr<const PackedWeights> conv_pack(Dtype dtype, const Convolution& c, const ConvEpilogue& then,
                                               Dtype w_dtype, const void* w);
bool conv_fits(Dtype dtype, const Convolution& c, const ConvEpilogue& then, const PackedWeights& w);

}  // namespace gradus::cpu
