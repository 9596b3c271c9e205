#include "kernels/cpu/random/random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/threads/parallel.h"
#include "kernels/cpu/random/philox.h"
#include "kernels/formulas/random_math.h"

namespace gradus::cpu {

namespace {

constexpr int kBlocks = kGroupBlocks;
constexpr std::int64_t kGrain = 8192;

// A formula turns a group of blocks into kPerGroup elements, and says how.

template <class T>
struct Uniform;

template <>
struct Uniform<float> {
  using Out = float;
  static constexpr int kPerGroup = 4 * kBlocks;
  float from, scale, last;

  GRADUS_INLINE void operator()(const PhiloxGroup& group, float* out) const {
    const std::uint32_t* w = group.words[0];
#pragma omp simd
    for (int i = 0; i < kPerGroup; ++i) {
      const float x = static_cast<float>(static_cast<std::int32_t>(w[i] >> 8)) * 0x1p-24f * scale + from;
      out[i] = x < last ? x : last;
    }
  }
};

template <>
struct Uniform<double> {
  using Out = double;
  static constexpr int kPerGroup = 2 * kBlocks;
  double from, scale, last;

  GRADUS_INLINE void operator()(const PhiloxGroup& group, double* out) const {
    for (int j = 0; j < 2; ++j) {
#pragma omp simd
      for (int i = 0; i < kBlocks; ++i) {
        const double x = unit_53(group.words[2 * j][i], group.words[2 * j + 1][i]) * scale + from;
        out[j * kBlocks + i] = x < last ? x : last;
      }
    }
  }
};

// Box and Muller: a radius from the logarithm of a uniform number in (0, 1], and a uniform angle, make two numbers.
template <class T>
struct Normal;

template <>
struct Normal<float> {
  using Out = float;
  static constexpr int kPerGroup = 4 * kBlocks;
  float mean, std;

  GRADUS_INLINE void operator()(const PhiloxGroup& group, float* out) const {
    for (int j = 0; j < 4; j += 2) {
#pragma omp simd
      for (int i = 0; i < kBlocks; ++i) {
        const float u = (static_cast<float>(static_cast<std::int32_t>(group.words[j][i] >> 1)) + 0.5f) * 0x1p-31f;
        const float radius = std::sqrt(-2.0f * log_of_unit(u)) * std;
        const SineCosine<float> angle = sine_cosine_of_turn(group.words[j + 1][i]);
        out[j * kBlocks + i] = radius * angle.cos + mean;
        out[(j + 1) * kBlocks + i] = radius * angle.sin + mean;
      }
    }
  }
};

template <>
struct Normal<double> {
  using Out = double;
  static constexpr int kPerGroup = 2 * kBlocks;
  double mean, std;

  GRADUS_INLINE void operator()(const PhiloxGroup& group, double* out) const {
#pragma omp simd
    for (int i = 0; i < kBlocks; ++i) {
      const double u = unit_53(group.words[0][i], group.words[1][i]) + 0x1p-54;
      const double radius = std::sqrt(-2.0 * log_of_unit(u)) * std;
      const SineCosine<double> angle = sine_cosine_of_turn(unit_53(group.words[2][i], group.words[3][i]));
      out[i] = radius * angle.cos + mean;
      out[kBlocks + i] = radius * angle.sin + mean;
    }
  }
};

struct Bits {
  using Out = std::uint64_t;
  static constexpr int kPerGroup = 2 * kBlocks;

  GRADUS_INLINE void operator()(const PhiloxGroup& group, std::uint64_t* out) const {
    for (int j = 0; j < 2; ++j) {
      for (int i = 0; i < kBlocks; ++i) {
        out[j * kBlocks + i] = group.words[2 * j][i] | std::uint64_t{group.words[2 * j + 1][i]} << 32;
      }
    }
  }
};

struct Integers {
  using Out = std::int64_t;
  static constexpr int kPerGroup = 2 * kBlocks;
  std::uint64_t low, range;

  GRADUS_INLINE void operator()(const PhiloxGroup& group, std::int64_t* out) const {
    alignas(64) std::uint64_t bits[kPerGroup];
    Bits()(group, bits);
    for (int i = 0; i < kPerGroup; ++i) out[i] = static_cast<std::int64_t>(low + below(range, bits[i]));
  }
};

struct Bernoulli {
  using Out = std::uint8_t;
  static constexpr int kPerGroup = 4 * kBlocks;
  std::uint32_t last;  // of the words that give 1

  GRADUS_INLINE void operator()(const PhiloxGroup& group, std::uint8_t* out) const {
    const std::uint32_t* w = group.words[0];
#pragma omp simd
    for (int i = 0; i < kPerGroup; ++i) out[i] = w[i] <= last ? 1 : 0;
  }
};

template <class Formula, Isa isa>
struct FillGroups {
  using Out = typename Formula::Out;
  // Elements from a multiple of kPerGroup up to `end`. A last group that is not whole is made whole aside.
  GRADUS_INLINE static void run(Out* out, std::int64_t begin, std::int64_t end, RandomRange stream, Formula formula) {
    constexpr int kPerGroup = Formula::kPerGroup;
    PhiloxGroup group;
    alignas(64) Out whole[kPerGroup];
    for (std::int64_t i = begin; i < end; i += kPerGroup) {
      const std::uint64_t first = stream.offset + static_cast<std::uint64_t>(i / kPerGroup) * kBlocks;
      philox_group<isa>(stream.seed, first, group);
      if (end - i >= kPerGroup) {
        formula(group, out + i);
      } else {
        formula(group, whole);
        std::memcpy(out + i, whole, static_cast<std::size_t>(end - i) * sizeof(Out));
      }
    }
  }
};

template <class Formula>
void fill(RandomRange stream, typename Formula::Out* out, std::int64_t n, Formula formula) {
  const auto part = [=](std::int64_t begin, std::int64_t end) {
    simd_choose<FillGroups<Formula, Isa::base>, FillGroups<Formula, Isa::v3>, FillGroups<Formula, Isa::v4>>(
        out, begin, end, stream, formula);
  };
  core::parallel_for(n, kGrain, part, Formula::kPerGroup);
}

template <class T>
void fill_uniform_of(RandomRange range, T* out, std::int64_t n, double from, double to, double last) {
  const T first = static_cast<T>(from), end = static_cast<T>(to);
  // Rounding may reach the end, which is never to come.
  const T most = static_cast<T>(std::min<double>(last, std::nextafter(end, first)));
  fill(range, out, n, Uniform<T>{.from = first, .scale = end - first, .last = most});
}

}  // namespace

void fill_uniform(RandomRange range, float* out, std::int64_t n, double from, double to, double last) {
  fill_uniform_of(range, out, n, from, to, last);
}

void fill_uniform(RandomRange range, double* out, std::int64_t n, double from, double to, double last) {
  fill_uniform_of(range, out, n, from, to, last);
}

void fill_normal(RandomRange range, float* out, std::int64_t n, double mean, double std) {
  fill(range, out, n, Normal<float>{.mean = static_cast<float>(mean), .std = static_cast<float>(std)});
}

void fill_normal(RandomRange range, double* out, std::int64_t n, double mean, double std) {
  fill(range, out, n, Normal<double>{.mean = mean, .std = std});
}

void fill_integers(RandomRange range, std::int64_t* out, std::int64_t n, std::int64_t low, std::int64_t high) {
  const auto first = static_cast<std::uint64_t>(low);
  fill(range, out, n, Integers{.low = first, .range = static_cast<std::uint64_t>(high) - first});
}

void fill_bernoulli(RandomRange range, std::uint8_t* out, std::int64_t n, double p) {
  const double count = std::nearbyint(p * 0x1p32);  // of the words that give 1
  if (count < 1) {
    std::fill_n(out, std::max<std::int64_t>(n, 0), std::uint8_t{0});
  } else {
    fill(range, out, n, Bernoulli{.last = static_cast<std::uint32_t>(count - 1)});
  }
}

void fill_permutation(RandomRange range, std::int64_t* out, std::int64_t n) {
  std::iota(out, out + std::max<std::int64_t>(n, 0), std::int64_t{0});
  // Fisher and Yates: the last place takes any of all, the one before any of the rest, and so on.
  constexpr std::int64_t kDraws = 64 * Bits::kPerGroup;
  std::uint64_t bits[kDraws];
  for (std::int64_t done = 0; done < n - 1; done += kDraws) {
    const std::int64_t draws = std::min(kDraws, n - 1 - done);
    const std::uint64_t first = range.offset + integer_blocks(done);
    fill({range.seed, first}, bits, draws, Bits{});
    for (std::int64_t i = 0; i < draws; ++i) {
      const auto left = static_cast<std::uint64_t>(n - done - i);
      std::swap(out[left - 1], out[below(left, bits[i])]);
    }
  }
}

}  // namespace gradus::cpu
