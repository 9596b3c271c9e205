#pragma once

#include "kernels/convolution.h"

namespace gradus::onednn {

// Row-major, in float32. False, and nothing done, where oneDNN has nothing but its reference loops; so for all below.
bool conv_forward(const kernel::Convolution& c, const float* x, const float* w, const float* bias, float* y);

// Row-major in float32, or channels-last as in kernels/dispatch/convolution.h.
bool conv_backward_data(Dtype dtype, const kernel::Convolution& c, const void* g, Dtype w_dtype, const void* w,
                        void* gx);
bool conv_backward_weight(Dtype dtype, const kernel::Convolution& c, const void* g, const void* x, float* gw);

// Channels-last, as in kernels/dispatch/convolution.h.
bool serves_channels_last(Dtype dtype, const kernel::Convolution& c);
std::shared_ptr<const kernel::PackedWeights> pack(Dtype dtype, const kernel::Convolution& c,
                                                  const kernel::ConvEpilogue& then, Dtype w_dtype, const void* w);
bool fits(Dtype dtype, const kernel::Convolution& c, const kernel::ConvEpilogue& then, const kernel::PackedWeights& w);
void conv_forward(Dtype dtype, const kernel::Convolution& c, const void* x, const kernel::PackedWeights& w,
                  const kernel::ConvEpilogue& then, void* y);

}  // namespace gradus::onednn
