// Padding, resizing and rearranging images and sequences: torch.nn.functional's names, argument order and defaults.
// Differentiable to any order.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <gradus/ops/spatial.h>
#include <gradus/tensor.h>

namespace gradus {

// x with elements added (or, where negative, taken) at both ends of the last dimensions: `padding` holds {before,
// after} of the last one, then of the one before it, and so on. mode "constant" adds `value`; "reflect" mirrors without
// repeating the edge (less than the size; ValueError); "replicate" repeats the edge; "circular" goes on at the other
// end (at most the size). Differs from PyTorch: the last three take any rank and dtype.
Tensor pad(const Tensor& x, const std::vector<std::int64_t>& padding, std::string_view mode = "constant",
           const Scalar& value = 0);

// x [N, C, spatial...] at other spatial sizes: those of `size`, or (with an empty one) floor(in * factor), the factors
// one for all or one each. Modes: "nearest", "nearest-exact", "linear" (one spatial dimension), "bilinear" and
// "bicubic" (two), "trilinear" (three). With align_corners the centres of the corner elements stay in place, else the
// corners themselves (it means nothing to "nearest": ValueError). Given factors are used as they are, unless
// recompute_scale_factor; sizes give in / out.
struct InterpolateOptions {
  PerDimension<std::int64_t> size = {};
  PerDimension<double> scale_factor = {};
  std::string_view mode = "nearest";
  std::optional<bool> align_corners = {};
  bool recompute_scale_factor = false;
};
Tensor interpolate(const Tensor& x, const InterpolateOptions& options);

// [..., C r^2, H, W] <-> [..., C, H r, W r]: Shi et al. (2016).
Tensor pixel_shuffle(const Tensor& x, std::int64_t upscale_factor);
Tensor pixel_unshuffle(const Tensor& x, std::int64_t downscale_factor);

// Whole channels of x [N, C, L], [N, C, H, W] and [N, C, D, H, W] are zero with probability p, the others scaled by
// 1 / (1 - p). Tompson et al. (2015). dropout1d and dropout3d take an x without a batch, too. As in PyTorch, the last
// two take other x of at least 2 dimensions as [N, C, ...]; so dropout2d reads a 3-d one as [N, C, L].
Tensor dropout1d(const Tensor& x, double p = 0.5, bool training = true, Generator* generator = nullptr);
Tensor dropout2d(const Tensor& x, double p = 0.5, bool training = true, Generator* generator = nullptr);
Tensor dropout3d(const Tensor& x, double p = 0.5, bool training = true, Generator* generator = nullptr);

}  // namespace gradus
