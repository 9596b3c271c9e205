// More operations on images and sequences, with torch.nn.functional's names, argument order and defaults: windows as
// columns, power-average pooling, and mixing of channels. Differentiable to any order.
#pragma once

#include <optional>

#include <gradus/ops/spatial.h>
#include <gradus/tensor.h>

namespace gradus {

// The windows of x [N, C, H, W] as columns [N, C * kernel elements, windows]; without a batch both lack N. The padding
// is zeros.
Tensor unfold(const Tensor& x, const Spatial<2>& kernel_size, const Spatial<2>& dilation = 1,
              const Spatial<2>& padding = 0, const Spatial<2>& stride = 1);
// The opposite, [N, C, output_size]: where windows overlap, their elements add up.
Tensor fold(const Tensor& x, const Spatial<2>& output_size, const Spatial<2>& kernel_size,
            const Spatial<2>& dilation = 1, const Spatial<2>& padding = 0, const Spatial<2>& stride = 1);

// (sum of x^norm_type over each window)^(1 / norm_type); infinity is the maximum of |x|. An unset stride is the
// kernel's size. As in PyTorch, powers of negative elements are NaN unless norm_type is an even number or gives sums
// that are not negative.
Tensor lp_pool1d(const Tensor& x, double norm_type, const Spatial<1>& kernel_size,
                 const std::optional<Spatial<1>>& stride = {}, bool ceil_mode = false);
Tensor lp_pool2d(const Tensor& x, double norm_type, const Spatial<2>& kernel_size,
                 const std::optional<Spatial<2>>& stride = {}, bool ceil_mode = false);
Tensor lp_pool3d(const Tensor& x, double norm_type, const Spatial<3>& kernel_size,
                 const std::optional<Spatial<3>>& stride = {}, bool ceil_mode = false);

// x / (k + alpha mean(x^2))^beta, the mean over `size` neighbouring channels, which are zeros beyond the ends. x is
// [N, C, ...] of at least 3 dimensions. Krizhevsky et al. (2012).
Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1);

// The channels of [N, C, ...] as [groups, C / groups], exchanged and joined again: Zhang et al. (2018). ValueError
// unless groups divides C.
Tensor channel_shuffle(const Tensor& x, std::int64_t groups);

}  // namespace gradus
