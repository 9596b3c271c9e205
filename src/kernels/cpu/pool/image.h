#pragma once

#include <cstdint>

/// Loops over images: rows from the top, in each row pixel after pixel ("interleaved") of a few channels.
namespace gradus::cpu {

/// Output i is the sum over k < taps of weights[i taps + k] times input first[i] + k. Whoever makes one sees to it that
/// no input lies outside.
template <class T>
struct ResizeWindows {
  std::int64_t taps;
  const std::int32_t* first;
  const T* weights;
};

/// Along rows: [rows, in, channels] to [rows, out, channels], dense. Rows of `from` lie `stride` bytes apart.
/// Integer weights, of 16 bits at most, have `precision` of them after the point; sums are rounded and cut off to
/// 0 ... 255.
void resize_rows(const std::uint8_t* from, std::int64_t stride, std::int64_t rows, std::int64_t in, std::int64_t out,
                 std::int64_t channels, const ResizeWindows<std::int32_t>& windows, int precision, std::uint8_t* to);

/// Across rows: [in, n] to [out, n].
void resize_columns(const std::uint8_t* from, std::int64_t stride, std::int64_t out, std::int64_t n,
                    const ResizeWindows<std::int32_t>& windows, int precision, std::uint8_t* to);

/// The same for one channel of floating-point numbers.
void resize_rows(const float* from, std::int64_t rows, std::int64_t in, std::int64_t out,
                 const ResizeWindows<float>& windows, float* to);
void resize_columns(const float* from, std::int64_t out, std::int64_t n, const ResizeWindows<float>& windows,
                    float* to);

/// One channel of an image, `step` bytes between pixels: to[i] = from[i step] / divisor.
void channel_to_float(const std::uint8_t* from, std::int64_t step, std::int64_t n, float divisor, float* to);

/// A row of pixels backwards.
void reverse_pixels(const std::uint8_t* from, std::int64_t pixels, std::int64_t channels, std::uint8_t* to);

}  // namespace gradus::cpu
