#pragma once

#include "kernels/convolution.h"

namespace gradus::onednn {

// As gradus::cpu::conv_* over row-major memory, in float32. False, and nothing done, where oneDNN has nothing but its
// reference loops.
bool conv_forward(const cpu::Convolution& c, const float* x, const float* w, const float* bias, float* y);
bool conv_backward_data(const cpu::Convolution& c, const float* g, const float* w, float* gx);
bool conv_backward_weight(const cpu::Convolution& c, const float* g, const float* x, float* gw);

}  // namespace gradus::onednn
