// Convolutions (cross-correlations, as everywhere in deep learning): torch.nn.functional's names, argument order and
// defaults.
//
// x is [N, C_in, spatial...] or, without a batch, [C_in, spatial...]. float32 goes through oneDNN; float64 is a product
// of matrices. All are differentiable to any order.
#pragma once

#include <gradus/ops/spatial.h>
#include <gradus/tensor.h>

namespace gradus {

// weight [C_out, C_in / groups, kernel...], bias [C_out]. Each spatial size becomes
// floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, which must be at least 1 (ShapeError).
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor(), const Spatial<1>& stride = 1,
              const ConvPadding<1>& padding = 0, const Spatial<1>& dilation = 1, std::int64_t groups = 1);
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor(), const Spatial<2>& stride = 1,
              const ConvPadding<2>& padding = 0, const Spatial<2>& dilation = 1, std::int64_t groups = 1);
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor(), const Spatial<3>& stride = 1,
              const ConvPadding<3>& padding = 0, const Spatial<3>& dilation = 1, std::int64_t groups = 1);

// The gradient of a convolution with respect to its input, as an operation of its own. weight [C_in, C_out / groups,
// kernel...], bias [C_out]. Each spatial size becomes
// (in - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1; output_padding is less than the stride or
// the dilation (ValueError).
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor(),
                        const Spatial<1>& stride = 1, const Spatial<1>& padding = 0,
                        const Spatial<1>& output_padding = 0, std::int64_t groups = 1, const Spatial<1>& dilation = 1);
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor(),
                        const Spatial<2>& stride = 1, const Spatial<2>& padding = 0,
                        const Spatial<2>& output_padding = 0, std::int64_t groups = 1, const Spatial<2>& dilation = 1);
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor(),
                        const Spatial<3>& stride = 1, const Spatial<3>& padding = 0,
                        const Spatial<3>& output_padding = 0, std::int64_t groups = 1, const Spatial<3>& dilation = 1);

}  // namespace gradus
