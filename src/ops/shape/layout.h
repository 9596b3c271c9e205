// Operands in the memory layout that a kernel wants.
#pragma once

#include "autograd/restride.h"
#include "core/layout.h"

namespace gradus::ops {

inline Tensor to_channels_last(const Tensor& x) {
  return detail::is_channels_last(x) ? x : detail::with_strides(x, detail::channels_last_strides(x.sizes()));
}

// x in the layout of a kernel: channels-last or row-major.
inline Tensor laid_out(const Tensor& x, bool channels_last) {
  return channels_last ? to_channels_last(x) : x.contiguous();
}

// Whether x is channels-last and nothing else.
inline bool prefers_channels_last(const Tensor& x) { return !x.is_contiguous() && detail::is_channels_last(x); }

// The types of the loops over channels-last images.
inline bool has_rows(Dtype dtype) { return dtype == kFloat32 || dtype == kBFloat16; }

}  // namespace gradus::ops
