// Resizing of which only a part is wanted.
#pragma once

#include <gradus/data/functional.h>

namespace gradus::data::functional {

// The same bits as center_crop(resize(image, height, width, ...), crop_height, crop_width). What the crop leaves out is
// not computed where there is antialiasing: of a long narrow picture that may be millions of rows.
Tensor resize_and_center_crop(const Tensor& image, std::int64_t height, std::int64_t width, std::int64_t crop_height,
                              std::int64_t crop_width, InterpolationMode interpolation, bool antialias);

// Where center_crop begins along a side; below 0 it has a border.
std::int64_t center_offset(std::int64_t have, std::int64_t want);

}  // namespace gradus::data::functional
