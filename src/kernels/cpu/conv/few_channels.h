// Convolutions in the plane between few channels, with stride 1. oneDNN's loops take 16 channels at a time and waste
// what is missing; these have vectors along the positions of the image.
#pragma once

#include "kernels/convolution.h"

namespace gradus::cpu {

using namespace kernel;

enum class ConvOperation { forward, backward_data, backward_weight };

// Whether the three operations below may be called.
bool few_channels_serves(const Convolution& c);
// And whether one of them is faster than oneDNN's: gradus_bench --benchmark_filter=convolution.
bool few_channels_is_best(const Convolution& c, ConvOperation operation);

// As those of kernels/convolution.h; T is float or double.
template <class T>
void few_channels_forward(const Convolution& c, const T* x, const T* w, const T* bias, T* y);
template <class T>
void few_channels_backward_data(const Convolution& c, const T* g, const T* w, T* gx);
template <class T>
void few_channels_backward_weight(const Convolution& c, const T* g, const T* x, T* gw);

}  // namespace gradus::cpu
