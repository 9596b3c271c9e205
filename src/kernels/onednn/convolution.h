#pragma once

#include "kernels/convolution.h"

namespace gradus::onednn {

// Row-major, in float32. False, and nothing done, where oneDNN has nothing but its reference loops.
bool conv_forward(const kernel::Convolution& c, const float* x, const float* w, const float* bias, float* y);
bool conv_backward_data(const kernel::Convolution& c, const float* g, const float* w, float* gx);
bool conv_backward_weight(const kernel::Convolution& c, const float* g, const float* x, float* gw);

// Channels-last. Null where oneDNN has nothing but its reference loops for it or for the gradient of w.
std::shared_ptr<const kernel::ChannelsLast> channels_last(Dtype dtype, const kernel::Convolution& c);

}  // namespace gradus::onednn
