// Max pooling by windows whose distances are drawn: Graham, "Fractional Max-Pooling" (2014). torch.nn.functional's
// names, argument order and defaults.
#pragma once

#include <optional>
#include <utility>

#include <gradus/ops/spatial.h>
#include <gradus/tensor.h>

namespace gradus {

// The result's sizes, or the share of the input's sizes that they are, in (0, 1): one of the two.
template <int N>
struct FractionalPoolArguments {
  std::optional<Spatial<N>> output_size = {};
  PerDimension<double> output_ratio = {};  // one for all dimensions, or one for each
  // [N, C, dimensions], in [0, 1): where the windows of each channel begin. Drawn where it is not given.
  Tensor random_samples = {};
  Generator* generator = nullptr;
};

// x [N, C, H, W] or [C, H, W]; with a D before H for 3d. The last window of a dimension ends with it. The kernel must
// be at most in - out + 1 (ValueError). Indices are int64 positions within the spatial sizes of a channel of x,
// row-major.
Tensor fractional_max_pool2d(const Tensor& x, const Spatial<2>& kernel_size,
                             const FractionalPoolArguments<2>& arguments);
Tensor fractional_max_pool3d(const Tensor& x, const Spatial<3>& kernel_size,
                             const FractionalPoolArguments<3>& arguments);
std::pair<Tensor, Tensor> fractional_max_pool2d_with_indices(const Tensor& x, const Spatial<2>& kernel_size,
                                                             const FractionalPoolArguments<2>& arguments);
std::pair<Tensor, Tensor> fractional_max_pool3d_with_indices(const Tensor& x, const Spatial<3>& kernel_size,
                                                             const FractionalPoolArguments<3>& arguments);

}  // namespace gradus

namespace gradus::nn::functional {
using gradus::fractional_max_pool2d;
using gradus::fractional_max_pool2d_with_indices;
using gradus::fractional_max_pool3d;
using gradus::fractional_max_pool3d_with_indices;
}  // namespace gradus::nn::functional
