#include "kernels/cpu/pool/image.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

namespace {

using Bytes = ResizeWindows<std::int32_t>;

GRADUS_INLINE std::uint8_t rounded(std::int32_t sum, int precision) {
  return static_cast<std::uint8_t>(std::clamp(sum >> precision, 0, 255));
}

template <int kChannels>
GRADUS_INLINE void resize_row(const std::uint8_t* from, std::int64_t begin, std::int64_t end, std::int64_t channels,
                              const Bytes& w, int precision, std::uint8_t* to) {
  if constexpr (kChannels > 0) channels = kChannels;
  for (std::int64_t x = begin; x < end; ++x) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::uint8_t* p = from + w.first[x] * channels + c;
      const std::int32_t* weights = w.weights + x * w.taps;
      std::int32_t sum = 1 << (precision - 1);
      for (std::int64_t k = 0; k < w.taps; ++k) sum += p[k * channels] * weights[k];
      to[x * channels + c] = rounded(sum, precision);
    }
  }
}

#if defined(__GNUC__)
using Int4 = std::int32_t __attribute__((vector_size(16)));
using Word4 = std::uint32_t __attribute__((vector_size(16)));
using Byte4 = std::uint8_t __attribute__((vector_size(4)));

// Four bytes as four numbers.
GRADUS_INLINE Int4 four_bytes(const std::uint8_t* from) {
  std::uint32_t word;
  std::memcpy(&word, from, sizeof word);
  const Word4 shift = {0, 8, 16, 24};
  return (Int4)((Word4{word, word, word, word} >> shift) & 255u);
}

// Three channels, and a fourth that is thrown away, at a time: reads one byte past each pixel. Several rows share the
// loads of the weights, and do not wait for each other's sums.
template <int kRows>
GRADUS_INLINE void resize_rows_of_three(const std::uint8_t* from, std::int64_t stride, std::int64_t end, const Bytes& w,
                                        int precision, std::uint8_t* to, std::int64_t to_stride) {
  const std::int32_t half = 1 << (precision - 1);
  for (std::int64_t x = 0; x < end; ++x) {
    const std::uint8_t* p = from + w.first[x] * 3;
    const std::int32_t* weights = w.weights + x * w.taps;
    Int4 sums[kRows];
    for (Int4& sum : sums) sum = Int4{half, half, half, half};
    for (std::int64_t k = 0; k < w.taps; ++k) {
      const Int4 weight = {weights[k], weights[k], weights[k], weights[k]};
      for (int r = 0; r < kRows; ++r) {
        sums[r] += four_bytes(p + r * stride + 3 * k) * weight;
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const Int4 most = {255, 255, 255, 255};
      Int4 sum = sums[r] >> precision;
      sum = sum < 0 ? Int4{} : sum;
      sum = sum > most ? most : sum;
      const Byte4 pixel = __builtin_convertvector(sum, Byte4);
      std::memcpy(to + r * to_stride + 3 * x, &pixel, 3);
    }
  }
}
#endif

struct ResizeRows {
  GRADUS_INLINE static void run(const std::uint8_t* from, std::int64_t stride, std::int64_t rows, std::int64_t in,
                                std::int64_t out, std::int64_t channels, const Bytes& w, int precision,
                                std::uint8_t* to) {
    // The last pixel of the last row is not followed by a byte that may be read.
    std::int64_t safe = out;
    while (safe > 0 && w.first[safe - 1] + w.taps >= in) --safe;
    std::int64_t y = 0;
#if defined(__GNUC__)
    constexpr int kRows = 4;
    for (; channels == 3 && rows - y > kRows; y += kRows, from += kRows * stride, to += kRows * out * 3) {
      resize_rows_of_three<kRows>(from, stride, out, w, precision, to, out * 3);
    }
#endif
    for (; y < rows; ++y, from += stride, to += out * channels) {
      std::int64_t done = 0;
#if defined(__GNUC__)
      if (channels == 3) {
        done = y + 1 < rows ? out : safe;
        resize_rows_of_three<1>(from, stride, done, w, precision, to, out * 3);
      }
#endif
      if (channels == 1) {
        resize_row<1>(from, done, out, 1, w, precision, to);
      } else {
        resize_row<0>(from, done, out, channels, w, precision, to);
      }
    }
  }
};

struct ResizeColumns {
  GRADUS_INLINE static void run(const std::uint8_t* from, std::int64_t stride, std::int64_t out, std::int64_t n,
                                const Bytes& w, int precision, std::uint8_t* to) {
    constexpr std::int64_t kBlock = 128;
    for (std::int64_t y = 0; y < out; ++y, to += n) {
      const std::int32_t* weights = w.weights + y * w.taps;
      for (std::int64_t begin = 0; begin < n; begin += kBlock) {
        const std::int64_t count = std::min(kBlock, n - begin);
        std::int32_t sums[kBlock];
        for (std::int64_t i = 0; i < kBlock; ++i) sums[i] = 1 << (precision - 1);
        for (std::int64_t k = 0; k < w.taps; ++k) {
          const std::uint8_t* row = from + (w.first[y] + k) * stride + begin;
          const std::int32_t weight = weights[k];
          for (std::int64_t i = 0; i < count; ++i) sums[i] += row[i] * weight;
        }
        for (std::int64_t i = 0; i < count; ++i) to[begin + i] = rounded(sums[i], precision);
      }
    }
  }
};

struct ResizeFloatRows {
  GRADUS_INLINE static void run(const float* from, std::int64_t rows, std::int64_t in, std::int64_t out,
                                const ResizeWindows<float>& w, float* to) {
    for (std::int64_t y = 0; y < rows; ++y, from += in, to += out) {
      for (std::int64_t x = 0; x < out; ++x) {
        float sum = 0;
        for (std::int64_t k = 0; k < w.taps; ++k) sum += from[w.first[x] + k] * w.weights[x * w.taps + k];
        to[x] = sum;
      }
    }
  }
};

struct ResizeFloatColumns {
  GRADUS_INLINE static void run(const float* from, std::int64_t out, std::int64_t n, const ResizeWindows<float>& w,
                                float* to) {
    for (std::int64_t y = 0; y < out; ++y, to += n) {
      std::fill_n(to, n, 0.0f);
      for (std::int64_t k = 0; k < w.taps; ++k) {
        const float* row = from + (w.first[y] + k) * n;
        const float weight = w.weights[y * w.taps + k];
        for (std::int64_t i = 0; i < n; ++i) to[i] += row[i] * weight;
      }
    }
  }
};

template <std::int64_t kStep>
GRADUS_INLINE void to_float(const std::uint8_t* from, std::int64_t n, float divisor, float* to) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i * kStep]) / divisor;
}

struct ChannelToFloat {
  GRADUS_INLINE static void run(const std::uint8_t* from, std::int64_t step, std::int64_t n, float divisor, float* to) {
    if (step == 1) return to_float<1>(from, n, divisor, to);
    if (step == 3) return to_float<3>(from, n, divisor, to);
    for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i * step]) / divisor;
  }
};

}  // namespace

void resize_rows(const std::uint8_t* from, std::int64_t stride, std::int64_t rows, std::int64_t in, std::int64_t out,
                 std::int64_t channels, const ResizeWindows<std::int32_t>& windows, int precision, std::uint8_t* to) {
  simd_call<ResizeRows>(from, stride, rows, in, out, channels, windows, precision, to);
}

void resize_columns(const std::uint8_t* from, std::int64_t stride, std::int64_t out, std::int64_t n,
                    const ResizeWindows<std::int32_t>& windows, int precision, std::uint8_t* to) {
  simd_call<ResizeColumns>(from, stride, out, n, windows, precision, to);
}

void resize_rows(const float* from, std::int64_t rows, std::int64_t in, std::int64_t out,
                 const ResizeWindows<float>& windows, float* to) {
  simd_call<ResizeFloatRows>(from, rows, in, out, windows, to);
}

void resize_columns(const float* from, std::int64_t out, std::int64_t n, const ResizeWindows<float>& windows,
                    float* to) {
  simd_call<ResizeFloatColumns>(from, out, n, windows, to);
}

void channel_to_float(const std::uint8_t* from, std::int64_t step, std::int64_t n, float divisor, float* to) {
  simd_call<ChannelToFloat>(from, step, n, divisor, to);
}

void reverse_pixels(const std::uint8_t* from, std::int64_t pixels, std::int64_t channels, std::uint8_t* to) {
  if (channels == 3) {
    for (std::int64_t i = 0; i < pixels; ++i) std::memcpy(to + 3 * i, from + 3 * (pixels - 1 - i), 3);
  } else if (channels == 1) {
    std::reverse_copy(from, from + pixels, to);
  } else {
    for (std::int64_t i = 0; i < pixels; ++i)
      std::copy_n(from + channels * (pixels - 1 - i), channels, to + channels * i);
  }
}

}  // namespace gradus::cpu
