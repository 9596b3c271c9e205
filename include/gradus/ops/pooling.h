// Pooling: torch.nn.functional's names, argument order and defaults.
//
// x is [N, C, spatial...] or, without a batch, [C, spatial...]. An unset stride is the kernel's size. Each spatial size
// becomes floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, or the ceiling of the quotient with
// ceil_mode, where a last window that would start beyond the input and its first padding is left out. padding is at
// most half of the kernel (ValueError). Differentiable to any order.
#pragma once

#include <optional>
#include <utility>

#include <gradus/ops/spatial.h>
#include <gradus/tensor.h>

namespace gradus {

// The largest element of each window; a NaN wins. The gradient goes to the first of equal ones.
Tensor max_pool1d(const Tensor& x, const Spatial<1>& kernel_size, const std::optional<Spatial<1>>& stride = {},
                  const Spatial<1>& padding = 0, const Spatial<1>& dilation = 1, bool ceil_mode = false);
Tensor max_pool2d(const Tensor& x, const Spatial<2>& kernel_size, const std::optional<Spatial<2>>& stride = {},
                  const Spatial<2>& padding = 0, const Spatial<2>& dilation = 1, bool ceil_mode = false);
Tensor max_pool3d(const Tensor& x, const Spatial<3>& kernel_size, const std::optional<Spatial<3>>& stride = {},
                  const Spatial<3>& padding = 0, const Spatial<3>& dilation = 1, bool ceil_mode = false);

// The mean of each window. Zeros of the padding count as elements with count_include_pad; divisor_override replaces the
// number of elements.
Tensor avg_pool1d(const Tensor& x, const Spatial<1>& kernel_size, const std::optional<Spatial<1>>& stride = {},
                  const Spatial<1>& padding = 0, bool ceil_mode = false, bool count_include_pad = true);
Tensor avg_pool2d(const Tensor& x, const Spatial<2>& kernel_size, const std::optional<Spatial<2>>& stride = {},
                  const Spatial<2>& padding = 0, bool ceil_mode = false, bool count_include_pad = true,
                  std::optional<std::int64_t> divisor_override = {});
Tensor avg_pool3d(const Tensor& x, const Spatial<3>& kernel_size, const std::optional<Spatial<3>>& stride = {},
                  const Spatial<3>& padding = 0, bool ceil_mode = false, bool count_include_pad = true,
                  std::optional<std::int64_t> divisor_override = {});

// Window i of n is [floor(i in / n), ceil((i + 1) in / n)): results of the given size, whatever the input's. A size of
// kSameSize is the input's (PyTorch's None).
inline constexpr std::int64_t kSameSize = -1;
Tensor adaptive_avg_pool1d(const Tensor& x, const Spatial<1>& output_size);
Tensor adaptive_avg_pool2d(const Tensor& x, const Spatial<2>& output_size);
Tensor adaptive_avg_pool3d(const Tensor& x, const Spatial<3>& output_size);
Tensor adaptive_max_pool1d(const Tensor& x, const Spatial<1>& output_size);
Tensor adaptive_max_pool2d(const Tensor& x, const Spatial<2>& output_size);
Tensor adaptive_max_pool3d(const Tensor& x, const Spatial<3>& output_size);

}  // namespace gradus
