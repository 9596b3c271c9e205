#include <gradus/nn/layers/fractional_pooling.h>

#include "core/range.h"

namespace gradus::nn {

template <int N>
FractionalMaxPool<N>::FractionalMaxPool(const Spatial<N>& kernel_size, const FractionalMaxPoolOptions<N>& options)
    : Module("FractionalMaxPool" + std::to_string(N) + "d"),
      kernel_size_(kernel_size),
      arguments_{.output_size = options.output_size,
                 .output_ratio = options.output_ratio,
                 .random_samples = options.random_samples} {
  if (options.output_size.has_value() == !options.output_ratio.empty())
    throw ValueError(type_name() + ": needs one of output_size and output_ratio, got " +
                     (options.output_size ? "both" : "neither"));
  for (const double ratio : options.output_ratio) check_range(type_name(), "output_ratio", ratio, inside(0, 1));
}

template <int N>
std::pair<Tensor, Tensor> FractionalMaxPool<N>::forward_with_indices(const Tensor& x) {
  if constexpr (N == 2) return fractional_max_pool2d_with_indices(x, kernel_size_, arguments_);
  if constexpr (N == 3) return fractional_max_pool3d_with_indices(x, kernel_size_, arguments_);
}

template class FractionalMaxPool<2>;
template class FractionalMaxPool<3>;

}  // namespace gradus::nn
