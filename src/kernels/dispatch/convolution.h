// The CPU's convolutions: our own loops, products of matrices, or oneDNN's, as was measured to be best.
#pragma once

#include "kernels/convolution.h"

namespace gradus::cpu {

using namespace kernel;

// Row-major, float32 and float64. Where there is enough work several threads share it, in pieces that depend on the
// sizes alone.
void conv_forward(Dtype dtype, const Convolution& c, const void* x, const void* w, const void* bias, void* y);
// gx from the gradient g of y: the transposed convolution of g.
void conv_backward_data(Dtype dtype, const Convolution& c, const void* g, const void* w, void* gx);
void conv_backward_weight(Dtype dtype, const Convolution& c, const void* g, const void* x, void* gw);

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
