// What stands in for the codecs in a build without GRADUS_IMAGES.
#include "gradus/core/error.h"
#include "io/image/codecs.h"
#include "io/image/png.h"

namespace gradus::io {

namespace {

[[noreturn]] void refuse(const std::string& call) {
  throw IoError(call + ": this build of Gradus reads and writes no images (GRADUS_IMAGES is off)");
}

}  // namespace

Tensor decode_jpeg(std::string_view, const ReadImageOptions&, const std::string& name) {
  refuse("decode_image: " + name);
}
Tensor decode_png(std::string_view, const ReadImageOptions&, const std::string& name) {
  refuse("decode_image: " + name);
}
std::string encode_jpeg(const std::uint8_t*, std::int64_t, std::int64_t, std::int64_t, int) { refuse("write_jpeg"); }
std::string encode_png(const ImageView&) { refuse("encode_png"); }
void write_png(const std::string& path, const ImageView&) { refuse("write_png: " + path); }

}  // namespace gradus::io
