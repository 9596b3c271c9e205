#include "kernels/cpu/random.h"

#include <algorithm>
#include <numbers>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "kernels/cpu/simd.h"

namespace gradus::cpu {

namespace {

constexpr int kLanes = 64;            // blocks computed at a time, one per lane
constexpr std::int64_t kChunk = 256;  // 32-bit words that makes
constexpr std::int64_t kGrain = 32;   // chunks below which another thread does not pay

GRADUS_INLINE void philox_round(std::uint32_t& a, std::uint32_t& b, std::uint32_t& c, std::uint32_t& d,
                                std::uint32_t k0, std::uint32_t k1) {
  const std::uint64_t x = std::uint64_t{0xD2511F53} * a, y = std::uint64_t{0xCD9E8D57} * c;
  const std::uint32_t e = static_cast<std::uint32_t>(y >> 32) ^ b ^ k0;
  const std::uint32_t g = static_cast<std::uint32_t>(x >> 32) ^ d ^ k1;
  b = static_cast<std::uint32_t>(y);
  d = static_cast<std::uint32_t>(x);
  a = e;
  c = g;
}

// words[j][lane]: word j of block `first + lane`.
GRADUS_INLINE void philox_lanes(std::uint64_t seed, std::uint64_t first, std::uint32_t (*words)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    const std::uint64_t counter = first + static_cast<std::uint64_t>(i);
    std::uint32_t a = static_cast<std::uint32_t>(counter), b = static_cast<std::uint32_t>(counter >> 32), c = 0, d = 0;
    std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      philox_round(a, b, c, d, k0, k1);
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    words[0][i] = a;
    words[1][i] = b;
    words[2][i] = c;
    words[3][i] = d;
  }
}

GRADUS_INLINE double unit(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (static_cast<std::uint64_t>(high) << 21) ^ (low >> 11);
  return static_cast<double>(static_cast<std::int64_t>(bits)) * 0x1p-53;
}

template <class T>
constexpr std::int64_t per_chunk() {
  return kChunk * 4 / static_cast<std::int64_t>(sizeof(T));
}

struct UniformBody {
  GRADUS_INLINE static void run(std::uint64_t seed, std::uint64_t first, float* out, double from, double to) {
    std::uint32_t words[4][kLanes];
    philox_lanes(seed, first, words);
    const float scale = static_cast<float>(to - from), base = static_cast<float>(from);
    // Rounding may reach the end of a range that is not [0, 1); the largest number below it stands there instead.
    const float last = std::nextafter(static_cast<float>(to), base);
    for (int j = 0; j < 4; ++j) {
      for (int i = 0; i < kLanes; ++i) {
        const float u = static_cast<float>(static_cast<std::int32_t>(words[j][i] >> 8)) * 0x1p-24f;
        const float x = base + u * scale;
        out[j * kLanes + i] = x < last ? x : last;
      }
    }
  }
  GRADUS_INLINE static void run(std::uint64_t seed, std::uint64_t first, double* out, double from, double to) {
    std::uint32_t words[4][kLanes];
    philox_lanes(seed, first, words);
    const double last = std::nextafter(to, from);
    for (int j = 0; j < 2; ++j) {
      for (int i = 0; i < kLanes; ++i) {
        const double x = from + unit(words[2 * j][i], words[2 * j + 1][i]) * (to - from);
        out[j * kLanes + i] = x < last ? x : last;
      }
    }
  }
};

struct NormalBody {
  GRADUS_INLINE static void run(std::uint64_t seed, std::uint64_t first, float* out, double mean, double std) {
    std::uint32_t words[4][kLanes];
    philox_lanes(seed, first, words);
    const float m = static_cast<float>(mean), s = static_cast<float>(std);
    for (int j = 0; j < 4; j += 2) {
      for (int i = 0; i < kLanes; ++i) {
        // Never zero: 32 bits and a half. The upper half is the word as a float without a 64-bit conversion.
        const float low = static_cast<float>(static_cast<std::int32_t>(words[j][i] & 0xffff));
        const float high = static_cast<float>(static_cast<std::int32_t>(words[j][i] >> 16));
        const float u = (high * 65536.0f + low + 0.5f) * 0x1p-32f;
        const float angle = static_cast<float>(static_cast<std::int32_t>(words[j + 1][i] >> 8)) *
                            (0x1p-24f * 2 * std::numbers::pi_v<float>);
        const float radius = s * std::sqrt(-2.0f * std::log(u));
        out[j * kLanes + i] = m + radius * std::cos(angle);
        out[(j + 1) * kLanes + i] = m + radius * std::sin(angle);
      }
    }
  }
  GRADUS_INLINE static void run(std::uint64_t seed, std::uint64_t first, double* out, double mean, double std) {
    std::uint32_t words[4][kLanes];
    philox_lanes(seed, first, words);
    for (int i = 0; i < kLanes; ++i) {
      const double u = unit(words[0][i], words[1][i]) + 0x1p-54;
      const double angle = unit(words[2][i], words[3][i]) * (2 * std::numbers::pi);
      const double radius = std * std::sqrt(-2.0 * std::log(u));
      out[i] = mean + radius * std::cos(angle);
      out[kLanes + i] = mean + radius * std::sin(angle);
    }
  }
};

// Whole chunks always, the last one aside, so that an element's bits do not depend on where a range is cut.
template <class Body, class T>
void fill(RandomRange range, T* out, std::int64_t n, double a, double b) {
  constexpr std::int64_t kWidth = per_chunk<T>();
  core::parallel_for((n + kWidth - 1) / kWidth, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      const std::uint64_t first = range.offset + static_cast<std::uint64_t>(c * kLanes);
      if ((c + 1) * kWidth <= n) {
        simd_call<Body>(range.seed, first, out + c * kWidth, a, b);
      } else {
        T rest[kWidth];
        simd_call<Body>(range.seed, first, static_cast<T*>(rest), a, b);
        std::copy_n(rest, n - c * kWidth, out + c * kWidth);
      }
    }
  });
}

// Two 64-bit numbers from each block.
std::uint64_t bits64(RandomRange range, std::int64_t i) {
  const PhiloxBlock block = philox(range.seed, range.offset + static_cast<std::uint64_t>(i / 2), 0);
  const int half = static_cast<int>(i % 2) * 2;
  return (static_cast<std::uint64_t>(block.word[half]) << 32) | block.word[half + 1];
}

// Lemire (2019): the upper half of the product with the range; its bias is below span / 2^64.
std::uint64_t scaled(std::uint64_t bits, std::uint64_t span) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(bits) * span) >> 64);
}

std::uint64_t chunks(std::int64_t n, std::int64_t width) {
  return static_cast<std::uint64_t>((n + width - 1) / width) * kLanes;
}

}  // namespace

PhiloxBlock philox(std::uint64_t seed, std::uint64_t counter_low, std::uint64_t counter_high) {
  auto half = [](std::uint64_t x, int shift) { return static_cast<std::uint32_t>(x >> shift); };
  std::uint32_t a = half(counter_low, 0), b = half(counter_low, 32), c = half(counter_high, 0),
                d = half(counter_high, 32), k0 = half(seed, 0), k1 = half(seed, 32);
  for (int round = 0; round < 10; ++round) {
    philox_round(a, b, c, d, k0, k1);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {{a, b, c, d}};
}

std::uint64_t uniform_blocks(std::int64_t n, std::int64_t element_size) { return chunks(n, kChunk * 4 / element_size); }
std::uint64_t normal_blocks(std::int64_t n, std::int64_t element_size) { return chunks(n, kChunk * 4 / element_size); }
std::uint64_t integer_blocks(std::int64_t n) { return static_cast<std::uint64_t>((n + 1) / 2); }

void fill_uniform(RandomRange range, float* out, std::int64_t n, double from, double to) {
  fill<UniformBody>(range, out, n, from, to);
}
void fill_uniform(RandomRange range, double* out, std::int64_t n, double from, double to) {
  fill<UniformBody>(range, out, n, from, to);
}
void fill_normal(RandomRange range, float* out, std::int64_t n, double mean, double std) {
  fill<NormalBody>(range, out, n, mean, std);
}
void fill_normal(RandomRange range, double* out, std::int64_t n, double mean, double std) {
  fill<NormalBody>(range, out, n, mean, std);
}

void fill_integers(RandomRange range, std::int64_t* out, std::int64_t n, std::int64_t low, std::int64_t high) {
  const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  core::parallel_for(n, kGrain * kChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      out[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + scaled(bits64(range, i), span));
    }
  });
}

void fill_bernoulli(RandomRange range, std::uint8_t* out, std::int64_t n, double p) {
  core::parallel_for((n + kChunk - 1) / kChunk, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      float u[kChunk];
      simd_call<UniformBody>(range.seed, range.offset + static_cast<std::uint64_t>(c * kLanes), static_cast<float*>(u),
                             0.0, 1.0);
      for (std::int64_t i = 0; i < std::min(kChunk, n - c * kChunk); ++i) out[c * kChunk + i] = u[i] < p;
    }
  });
}

void fill_permutation(RandomRange range, std::int64_t* out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = i;
  for (std::int64_t i = n - 1; i > 0; --i) {
    std::swap(out[i], out[scaled(bits64(range, i), static_cast<std::uint64_t>(i) + 1)]);
  }
}

}  // namespace gradus::cpu
