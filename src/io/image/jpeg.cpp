// libjpeg reports errors by a call that must not return. Ours jumps out of it, so between setjmp and the library's
// calls there are only plain C objects.
#include <cstdio>

#include <jpeglib.h>
//
#include <jerror.h>

#include <fmt/format.h>

#include <array>
#include <csetjmp>
#include <cstdlib>

#include "gradus/core/error.h"
#include "io/image/codecs.h"

namespace gradus::io {

namespace {

constexpr int kMaxScans = 500;  // of a progressive file: each costs a pass over all pixels

struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void on_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<ErrorManager*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

// A level below 0 is a warning: the library goes on with data of its own making. Those that mean damaged pixels are
// errors here; others are about things that do not matter, such as stray bytes between segments.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_PROGRESSION:
      on_error(info);
  }
}

void on_progress(j_common_ptr info) {
  if (info->is_decompressor && reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
    auto* errors = reinterpret_cast<ErrorManager*>(info->err);
    std::snprintf(errors->message, sizeof errors->message, "more than %d scans", kMaxScans);
    std::longjmp(errors->jump, 1);
  }
}

void print_nothing(j_common_ptr) {}

void set_handlers(jpeg_error_mgr& base) {
  jpeg_std_error(&base);
  base.error_exit = on_error;
  base.emit_message = on_message;
  base.output_message = print_nothing;
}

// A decompressor whose steps give false where they fail, with the reason in message().
class Decompressor {
 public:
  Decompressor() { set_handlers(errors_.base); }
  ~Decompressor() { jpeg_destroy_decompress(&info_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  const char* message() const { return errors_.message; }
  jpeg_decompress_struct& info() { return info_; }

  bool read_header(std::string_view bytes) {
    if (setjmp(errors_.jump)) return false;
    info_.err = &errors_.base;
    jpeg_create_decompress(&info_);
    progress_.progress_monitor = on_progress;
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  bool start() {
    if (setjmp(errors_.jump)) return false;
    jpeg_start_decompress(&info_);
    return true;
  }

  bool read_rows(std::uint8_t* to, std::size_t row_bytes) {
    if (setjmp(errors_.jump)) return false;
    while (info_.output_scanline < info_.output_height) {
      constexpr JDIMENSION kRows = 16;
      JSAMPROW rows[kRows];
      const JDIMENSION left = info_.output_height - info_.output_scanline;
      const JDIMENSION count = left < kRows ? left : kRows;
      for (JDIMENSION i = 0; i < count; ++i) rows[i] = to + (info_.output_scanline + i) * row_bytes;
      jpeg_read_scanlines(&info_, rows, count);
    }
    return true;
  }

 private:
  ErrorManager errors_{};
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct info_{};
};

// The smallest of 1/8, 1/4, 1/2 and 1 whose sides are long enough.
unsigned scale_of(std::int64_t height, std::int64_t width, std::int64_t min_size) {
  if (min_size < 1) return 1;
  for (const unsigned scale : {8U, 4U, 2U}) {
    if ((height + scale - 1) / scale >= min_size && (width + scale - 1) / scale >= min_size) return scale;
  }
  return 1;
}

int times_255(int a, int b) {  // a b / 255, rounded
  const int product = a * b + 128;
  return (product + (product >> 8)) >> 8;
}

// Inks to light. Adobe's files hold them inverted, and say so.
void convert_cmyk(const std::uint8_t* from, std::int64_t count, bool inverted, bool gray, std::uint8_t* to) {
  for (std::int64_t i = 0; i < count; ++i, from += 4) {
    std::array<int, 3> rgb{};
    const int white = inverted ? from[3] : 255 - from[3];
    for (std::size_t c = 0; c < 3; ++c) rgb[c] = times_255(inverted ? from[c] : 255 - from[c], white);
    if (gray) {
      *to++ = static_cast<std::uint8_t>((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16);
    } else {
      for (const int x : rgb) *to++ = static_cast<std::uint8_t>(x);
    }
  }
}

}  // namespace

Tensor decode_jpeg(std::string_view bytes, const ReadImageOptions& options, const std::string& name) {
  Decompressor jpeg;
  const auto fail = [&] { throw IoError(fmt::format("decode_jpeg: {} is damaged: {}", name, jpeg.message())); };
  if (!jpeg.read_header(bytes)) fail();
  jpeg_decompress_struct& info = jpeg.info();
  // The luminance of 64 pixels takes at least a bit, except with arithmetic codes, which get near 1/16 of one.
  check_claim("decode_jpeg", name, info.image_height, info.image_width, bytes.size(),
              64 * 8 * (info.arith_code ? 16 : 1), options);
  info.scale_num = 1;
  info.scale_denom = scale_of(info.image_height, info.image_width, options.min_size);
  const bool four = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  const bool gray = options.mode == ImageReadMode::Gray ||
                    (options.mode == ImageReadMode::Unchanged && info.jpeg_color_space == JCS_GRAYSCALE);
  if (four) {
    info.out_color_space = JCS_CMYK;
  } else if (gray) {
    info.out_color_space = JCS_GRAYSCALE;
  } else {
    info.out_color_space = JCS_RGB;
  }
  if (!jpeg.start()) fail();
  const std::int64_t height = info.output_height, width = info.output_width;
  const Tensor rows = empty({height, width, four ? 4 : gray ? 1 : 3}, {.dtype = kUInt8});
  if (!jpeg.read_rows(rows.data_ptr<std::uint8_t>(), static_cast<std::size_t>(width * rows.size(2)))) fail();
  if (!four) return rows;
  const Tensor converted = empty({height, width, gray ? 1 : 3}, {.dtype = kUInt8});
  convert_cmyk(rows.data_ptr<std::uint8_t>(), height * width, info.saw_Adobe_marker, gray,
               converted.data_ptr<std::uint8_t>());
  return converted;
}

std::string encode_jpeg(const std::uint8_t* pixels, std::int64_t height, std::int64_t width, std::int64_t channels,
                        int quality) {
  struct Compressor {
    ErrorManager errors{};
    jpeg_compress_struct info{};
    unsigned char* encoded = nullptr;
    unsigned long size = 0;
    ~Compressor() {
      jpeg_destroy_compress(&info);
      std::free(encoded);
    }
    bool run(const std::uint8_t* from, JDIMENSION rows, JDIMENSION columns, int channels, int quality) {
      if (setjmp(errors.jump)) return false;
      info.err = &errors.base;
      jpeg_create_compress(&info);
      jpeg_mem_dest(&info, &encoded, &size);
      info.image_height = rows;
      info.image_width = columns;
      info.input_components = channels;
      info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
      jpeg_set_defaults(&info);
      jpeg_set_quality(&info, quality, TRUE);
      jpeg_start_compress(&info, TRUE);
      while (info.next_scanline < info.image_height) {
        auto* row =
            const_cast<JSAMPROW>(from + std::size_t{info.next_scanline} * columns * static_cast<unsigned>(channels));
        jpeg_write_scanlines(&info, &row, 1);
      }
      jpeg_finish_compress(&info);
      return true;
    }
  } jpeg;
  set_handlers(jpeg.errors.base);
  if (!jpeg.run(pixels, static_cast<JDIMENSION>(height), static_cast<JDIMENSION>(width), static_cast<int>(channels),
                quality)) {
    throw IoError(fmt::format("write_jpeg: {}", jpeg.errors.message));
  }
  return {reinterpret_cast<const char*>(jpeg.encoded), jpeg.size};
}

}  // namespace gradus::io
