#include "core/layout.h"

#include <algorithm>

namespace gradus::detail {

Shape channels_last_strides(const Shape& sizes) {
  Shape strides = sizes;
  std::int64_t step = 1;
  const auto place = [&](int d) {
    strides[d] = step;
    step *= std::max<std::int64_t>(1, sizes[d]);
  };
  place(1);
  for (int d = sizes.rank() - 1; d >= 2; --d) place(d);
  place(0);
  return strides;
}

bool is_channels_last(const TensorImpl& x) {
  const int rank = x.sizes.rank();
  if (rank != 4 && rank != 5) return false;
  std::int64_t step = 1;
  const auto follows = [&](int d) {
    if (x.sizes[d] != 1 && x.strides[d] != step) return false;
    step *= x.sizes[d];
    return true;
  };
  if (!follows(1)) return false;
  for (int d = rank - 1; d >= 2; --d)
    if (!follows(d)) return false;
  return follows(0);
}

Tensor make_channels_last(const Shape& sizes, Dtype dtype, Device device) {
  return make_strided(sizes, channels_last_strides(sizes), dtype, device);
}

Tensor make_like(const Tensor& x, const Shape& sizes, Dtype dtype) {
  return !x.is_contiguous() && is_channels_last(x) ? make_channels_last(sizes, dtype, x.device())
                                                   : make_empty(sizes, dtype, x.device());
}

}  // namespace gradus::detail
