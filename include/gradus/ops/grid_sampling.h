// Images sampled at given positions, as torch.nn.functional.affine_grid and grid_sample: Jaderberg et al. (2015).
// Differentiable to any order.
#pragma once

#include <string_view>

#include <gradus/tensor.h>

namespace gradus {

// The positions to which affine maps theta [N, 2, 3] take those of an image of size [N, C, H, W]: [N, H, W, 2]. For
// volumes theta is [N, 3, 4] and size [N, C, D, H, W]. -1 and 1 are the corners of an image, or with align_corners the
// centres of its corner elements.
Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners = false);

// x [N, C, H, W] at the positions grid [N, H', W', 2], which are (x, y): [N, C, H', W']; x [N, C, D, H, W] at (x, y,
// z). mode: "bilinear" (for volumes that means trilinear) or "nearest". Outside lie, by padding_mode, "zeros", the
// "border", or a "reflection". A position that is NaN lies outside. With "nearest" the grid gets no gradient. Differs
// from PyTorch: there is no "bicubic".
Tensor grid_sample(const Tensor& x, const Tensor& grid, std::string_view mode = "bilinear",
                   std::string_view padding_mode = "zeros", bool align_corners = false);

}  // namespace gradus

namespace gradus::nn::functional {
using gradus::affine_grid;
using gradus::grid_sample;
}  // namespace gradus::nn::functional
