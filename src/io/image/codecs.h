// What the decoders of images have in common.
#pragma once

#include <gradus/io/image.h>

namespace gradus::io {

inline bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }
inline bool is_png(std::string_view bytes) { return bytes.starts_with("\x89PNG\r\n\x1a\n"); }

// Pixels in rows from the top: uint8 [height, width, channels]. IoError "CALL: NAME ...".
Tensor decode_jpeg(std::string_view bytes, const ReadImageOptions& options, const std::string& name);
Tensor decode_png(std::string_view bytes, const ReadImageOptions& options, const std::string& name);

// IoError if there are no pixels, more than the options allow, or more than bytes of this number can hold.
void check_claim(const char* call, const std::string& name, std::uint64_t height, std::uint64_t width,
                 std::size_t bytes, std::uint64_t most_pixels_per_byte, const ReadImageOptions& options);

// An encoded file from [height, width, channels].
std::string encode_jpeg(const std::uint8_t* pixels, std::int64_t height, std::int64_t width, std::int64_t channels,
                        int quality);

}  // namespace gradus::io
