// As in jpeg.cpp: libpng reports errors by a jump, so between setjmp and its calls there are only plain C objects.
#include <png.h>

#include <fmt/format.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include "gradus/core/error.h"
#include "io/image/codecs.h"

namespace gradus::io {

namespace {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  const char* message() const { return message_; }
  std::uint64_t width() const { return png_get_image_width(png_, info_); }
  std::uint64_t height() const { return png_get_image_height(png_, info_); }
  std::int64_t channels() const { return png_get_channels(png_, info_); }

  bool read_header() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png_ == nullptr) return false;
    if (setjmp(jump_)) return false;
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) png_error(png_, "out of memory");
    png_set_read_fn(png_, this, on_read);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
    png_set_chunk_malloc_max(png_, 1 << 23);  // of text and profiles, which are not wanted anyway
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_read_info(png_, info_);
    return true;
  }

  bool start(ImageReadMode mode) {
    if (setjmp(jump_)) return false;
    const int type = png_get_color_type(png_, info_);
    png_set_strip_16(png_);
    png_set_packing(png_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png_, info_) < 8) png_set_expand_gray_1_2_4_to_8(png_);
    if (mode == ImageReadMode::Unchanged) {
      if (png_get_valid(png_, info_, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png_);
    } else {
      png_set_strip_alpha(png_);
      png_set_gray_to_rgb(png_);
    }
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool read(png_bytepp rows) {
    if (setjmp(jump_)) return false;
    png_read_image(png_, rows);
    return true;
  }

 private:
  static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<Reader*>(png_get_error_ptr(png));
    std::snprintf(self->message_, sizeof self->message_, "%s", message);
    std::longjmp(self->jump_, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep to, std::size_t size) {
    auto* self = static_cast<Reader*>(png_get_io_ptr(png));
    if (size > self->left_.size()) png_error(png, "the file ends early");
    std::memcpy(to, self->left_.data(), size);
    self->left_.remove_prefix(size);
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::string_view left_;
  std::jmp_buf jump_;
  char message_[200] = "out of memory";
};

}  // namespace

Tensor decode_png(std::string_view bytes, const ReadImageOptions& options, const std::string& name) {
  Reader png(bytes);
  const auto fail = [&] { throw IoError(fmt::format("decode_png: {} is damaged: {}", name, png.message())); };
  if (!png.read_header()) fail();
  // Deflate packs at most 1032 bytes into one, which may be 8 pixels each.
  check_claim("decode_png", name, png.height(), png.width(), bytes.size(), 8 * 1032, options);
  if (!png.start(options.mode)) fail();
  const auto height = static_cast<std::int64_t>(png.height()), width = static_cast<std::int64_t>(png.width());
  const Tensor pixels = empty({height, width, png.channels()}, {.dtype = kUInt8});
  std::vector<png_bytep> rows;
  for (std::int64_t i = 0; i < height; ++i) {
    rows.push_back(pixels.data_ptr<std::uint8_t>() + i * width * pixels.size(2));
  }
  if (!png.read(rows.data())) fail();
  if (options.mode != ImageReadMode::Gray) return pixels;
  const Tensor gray = empty({height, width, 1}, {.dtype = kUInt8});
  const std::uint8_t* from = pixels.data_ptr<std::uint8_t>();
  auto* to = gray.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < height * width; ++i, from += 3) {
    to[i] = static_cast<std::uint8_t>((19595 * from[0] + 38470 * from[1] + 7471 * from[2] + 32768) >> 16);
  }
  return gray;
}

}  // namespace gradus::io
