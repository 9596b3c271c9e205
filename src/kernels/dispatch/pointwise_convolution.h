// Gradients of channels-last convolutions with a window of one position, as products of matrices.
#pragma once

#include "kernels/convolution.h"

namespace gradus::cpu {

using namespace kernel;

// False, and nothing done, where the convolution is another one or oneDNN's loops for it are faster.
bool product_backward_data(Dtype dtype, const Convolution& c, const void* g, Dtype w_dtype, const void* w, void* gx);
bool product_backward_weight(Dtype dtype, const Convolution& c, const void* g, const void* x, float* gw);

}  // namespace gradus::cpu
