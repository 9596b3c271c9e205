// What cameras say about a picture.
#pragma once

#include <string_view>

namespace gradus::io {

// How a JPEG or PNG file is to be shown: 1 to 8 as in the EXIF tag 0x0112, 1 (as it is) where nothing valid is said.
// Any bytes will do.
int exif_orientation(std::string_view file);

}  // namespace gradus::io
