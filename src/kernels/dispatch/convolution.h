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

// Channels-last: oneDNN's loops, and products of matrices for some gradients. Null where oneDNN has no good loops for
// the convolution or the gradient of w on this machine.
std::shared_ptr<const ChannelsLast> conv_channels_last(Dtype dtype, const Convolution& c);

}  // namespace gradus::cpu
