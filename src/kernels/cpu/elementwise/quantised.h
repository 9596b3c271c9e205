// Numbers as codes of 8 bits in blocks: Dettmers et al., "8-bit Optimizers via Block-wise Quantization" (2022). A code
// stands for a number between -1 and 1, which is multiplied by the largest absolute value of its block. Their dynamic
// data type has 7 powers of ten, each with twice as many numbers as the one below it, and so is as exact for numbers
// near 1 as for small ones.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "kernels/cpu/reduce/reduce_rows.h"

namespace gradus::cpu {

inline constexpr std::int64_t kQuantisedBlock = 256;
inline constexpr int kZeroWithSign = 127;  // the code of 0 among numbers with a sign

namespace detail {

inline constexpr int kDecades = 7;

// The numbers of the i-th power of ten, 10^(i - 6): middles of so many equal parts of [0.1, 1].
constexpr int numbers_of(bool has_sign, int i) { return has_sign ? 1 << i : 2 << i; }
constexpr double power_of_ten(int i) {
  double power = 1;
  for (; i < 6; ++i) power /= 10;
  return power;
}
constexpr double number_at(bool has_sign, int i, int k) {
  return power_of_ten(i) * (0.1 + 0.9 * (k + 0.5) / numbers_of(has_sign, i));
}

// What each code stands for, in ascending order: from 0 where there is no sign, else from -0.993.
template <bool has_sign>
constexpr std::array<float, 256> make_numbers() {
  std::array<float, 256> numbers{};
  int at = has_sign ? kZeroWithSign : 0;  // of 0
  numbers[static_cast<std::size_t>(at++)] = 0;
  for (int i = 0; i < kDecades; ++i)
    for (int k = 0; k < numbers_of(has_sign, i); ++k) {
      numbers[static_cast<std::size_t>(at)] = static_cast<float>(number_at(has_sign, i, k));
      if (has_sign) numbers[static_cast<std::size_t>(254 - at)] = -numbers[static_cast<std::size_t>(at)];
      ++at;
    }
  numbers[255] = 1;
  return numbers;
}
template <bool has_sign>
[[gnu::visibility("hidden")]] inline constexpr std::array<float, 256> kNumbers = make_numbers<has_sign>();

// From a number in [0, 1] to the nearest code above zero's: past `from`, from + scale x, but at least `first` and at
// most `last`.
struct Decade {
  float from, scale, shift, first, last;
};
template <bool has_sign>
constexpr std::array<Decade, kDecades> make_decades() {
  std::array<Decade, kDecades> decades{};
  double below = 0;  // the largest number of the decade before
  int first = 1;
  for (int i = 0; i < kDecades; ++i) {
    const int n = numbers_of(has_sign, i);
    const double scale = n / 0.9 / power_of_ten(i);
    decades[static_cast<std::size_t>(i)] = {static_cast<float>((below + number_at(has_sign, i, 0)) / 2),
                                            static_cast<float>(scale), static_cast<float>(first - 0.1 * n / 0.9),
                                            static_cast<float>(first), static_cast<float>(first + n - 1)};
    below = number_at(has_sign, i, n - 1);
    first += n;
  }
  return decades;
}
template <bool has_sign>
inline constexpr std::array<Decade, kDecades> kDecadesOf = make_decades<has_sign>();

// The code of x in [-1, 1], or [0, 1].
template <bool has_sign>
GRADUS_INLINE std::int32_t code_of(float x) {
  constexpr auto& decades = kDecadesOf<has_sign>;
  constexpr float one = (1 + kNumbers<has_sign>[254]) / 2;
  const float a = std::fabs(x);
  float place = 0, first = 0, last = 0;
  for (int i = 0; i < kDecades; ++i) {
    const Decade d = decades[static_cast<std::size_t>(i)];
    const bool past = a >= d.from;
    place = past ? d.shift + d.scale * a : place;
    first = past ? d.first : first;
    last = past ? d.last : last;
  }
  place = place < first ? first : place;
  place = place > last + 0.5F ? last + 0.5F : place;
  std::int32_t code = static_cast<std::int32_t>(place);
  // A second moment that is not zero stays so: with a first moment beside it, zero would make a step of m / eps.
  if constexpr (!has_sign) return a >= one ? 255 : a > 0 && code < 1 ? 1 : code;
  code = x >= one ? 128 : code;
  return x < 0 ? kZeroWithSign - code : kZeroWithSign + code;
}

}  // namespace detail

template <class T, bool has_sign>
GRADUS_INLINE void dequantise(const std::uint8_t* codes, float largest, std::int64_t n, T* x) {
  const float* numbers = detail::kNumbers<has_sign>.data();
  for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(numbers[codes[i]] * largest);
}

// Returns the largest absolute value, which the codes are parts of.
template <class T, bool has_sign>
GRADUS_INLINE float quantise(const T* x, std::int64_t n, std::uint8_t* codes) {
  const T top = reduce_row<ExtremeOf<T, true>, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return std::fabs(x[i]); });
  const float largest = static_cast<float>(top);
  const float inverse = largest > 0 ? 1 / largest : 0;
  for (std::int64_t i = 0; i < n; ++i)
    codes[i] = static_cast<std::uint8_t>(detail::code_of<has_sign>(static_cast<float>(x[i]) * inverse));
  return largest;
}

}  // namespace gradus::cpu
