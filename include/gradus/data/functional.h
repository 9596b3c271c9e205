// What transforms are made of: torchvision.transforms.v2.functional, for images [channels, height, width] of uint8
// (0 ... 255) or float32 (0 ... 1). Inputs are never changed; results may share their memory (crops do).
// ShapeError and DtypeError for other tensors, ValueError for other numbers.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <gradus/tensor.h>

namespace gradus::data {

enum class InterpolationMode : std::uint8_t { Nearest, NearestExact, Bilinear, Bicubic };

namespace functional {

// To [channels, height, width]. With antialias the filter grows with the scale when shrinking, as in Pillow. Then uint8
// images are computed in integers, by the algorithm of PyTorch's uint8 kernels, and equal torchvision's bit by bit
// (Pillow has more bits in its weights: a level of difference, with Bicubic two). Without, and for float32, as
// PyTorch's interpolate for float32; uint8 is rounded from that.
Tensor resize(const Tensor& image, std::int64_t height, std::int64_t width,
              InterpolationMode interpolation = InterpolationMode::Bilinear, bool antialias = true);

// The part that begins at (top, left); what lies outside of the image is 0.
Tensor crop(const Tensor& image, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width);
Tensor center_crop(const Tensor& image, std::int64_t height, std::int64_t width);

// Pixels more on each side. mode "constant" (of `fill`, one number or one for each channel), "edge", "reflect" (without
// the edge), "symmetric" (with it).
struct Padding {
  std::int64_t left, top, right, bottom;
};
Tensor pad(const Tensor& image, const Padding& padding, const std::vector<double>& fill = {0},
           std::string_view mode = "constant");

Tensor horizontal_flip(const Tensor& image);
Tensor vertical_flip(const Tensor& image);

// 0.2989 R + 0.587 G + 0.114 B in 1 or 3 equal channels; uint8 is truncated, as torchvision does with tensors.
Tensor rgb_to_grayscale(const Tensor& image, std::int64_t num_output_channels = 1);

// Blends with black, with the mean of the gray image, with the gray image: factor 1 changes nothing, 0 leaves only the
// other. Saturation and hue leave images of one channel as they are. hue_factor, -0.5 to 0.5, is in turns.
// uint8 results equal torchvision's within 1: both truncate, and a last bit decides.
Tensor adjust_brightness(const Tensor& image, double brightness_factor);
Tensor adjust_contrast(const Tensor& image, double contrast_factor);
Tensor adjust_saturation(const Tensor& image, double saturation_factor);
Tensor adjust_hue(const Tensor& image, double hue_factor);

// (x - mean[c]) / std[c], for each channel of an image or column of a row [C]; one number stands for all, whatever the
// sizes. Floating point.
Tensor normalize(const Tensor& image, const std::vector<double>& mean, const std::vector<double>& std);

// To uint8, float32 or float64, contiguous, from any type and of any sizes. With scale 0 ... 255 becomes 0 ... 1 and
// back; values outside are cut off (torchvision lets them wrap round).
Tensor to_dtype(const Tensor& image, Dtype dtype = kFloat32, bool scale = false);

// A copy in which the part that begins at (top, left) is `value`, which broadcasts.
Tensor erase(const Tensor& image, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width,
             const Tensor& value);

}  // namespace functional
}  // namespace gradus::data
