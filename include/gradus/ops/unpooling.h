// Max pooling that also returns where the maxima are, and its opposite: torch.nn.functional's names, argument order and
// defaults. Indices are int64 positions within the spatial sizes of a channel, row-major, of the result's sizes.
#pragma once

#include <optional>
#include <utility>

#include <gradus/ops/spatial.h>
#include <gradus/tensor.h>

namespace gradus {

// As max_pool1d and so on, with the indices. ValueError where a window holds only padding.
std::pair<Tensor, Tensor> max_pool1d_with_indices(const Tensor& x, const Spatial<1>& kernel_size,
                                                  const std::optional<Spatial<1>>& stride = {},
                                                  const Spatial<1>& padding = 0, const Spatial<1>& dilation = 1,
                                                  bool ceil_mode = false);
std::pair<Tensor, Tensor> max_pool2d_with_indices(const Tensor& x, const Spatial<2>& kernel_size,
                                                  const std::optional<Spatial<2>>& stride = {},
                                                  const Spatial<2>& padding = 0, const Spatial<2>& dilation = 1,
                                                  bool ceil_mode = false);
std::pair<Tensor, Tensor> max_pool3d_with_indices(const Tensor& x, const Spatial<3>& kernel_size,
                                                  const std::optional<Spatial<3>>& stride = {},
                                                  const Spatial<3>& padding = 0, const Spatial<3>& dilation = 1,
                                                  bool ceil_mode = false);
std::pair<Tensor, Tensor> adaptive_max_pool1d_with_indices(const Tensor& x, const Spatial<1>& output_size);
std::pair<Tensor, Tensor> adaptive_max_pool2d_with_indices(const Tensor& x, const Spatial<2>& output_size);
std::pair<Tensor, Tensor> adaptive_max_pool3d_with_indices(const Tensor& x, const Spatial<3>& output_size);

// Zeros, with x at the indices; if several go to one place, the last one stays. The spatial sizes are those that such a
// pooling may have had: (in - 1) stride - 2 padding + kernel_size, or output_size, which may lie up to a stride away
// from that (all of its sizes, or the spatial ones).
Tensor max_unpool1d(const Tensor& x, const Tensor& indices, const Spatial<1>& kernel_size,
                    const std::optional<Spatial<1>>& stride = {}, const Spatial<1>& padding = 0,
                    const Shape& output_size = {});
Tensor max_unpool2d(const Tensor& x, const Tensor& indices, const Spatial<2>& kernel_size,
                    const std::optional<Spatial<2>>& stride = {}, const Spatial<2>& padding = 0,
                    const Shape& output_size = {});
Tensor max_unpool3d(const Tensor& x, const Tensor& indices, const Spatial<3>& kernel_size,
                    const std::optional<Spatial<3>>& stride = {}, const Spatial<3>& padding = 0,
                    const Shape& output_size = {});

}  // namespace gradus
