// Random numbers with the CPU's bits: both compute the same words from seed and place, and the same formulas of them
// (kernels/formulas/random_math.h). nvcc compiles this file without fused operations.
#include <gradus/core/error.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/visit.h"
#include "kernels/formulas/random_math.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/launch.h"
#include "kernels/gpu/recording.h"

namespace gradus::gpu {

namespace {

using kernel::SineCosine;

// Philox4x32-10 of counter (c, 0) under the key `seed`.
struct Words {
  std::uint32_t at[4];
};
GRADUS_INLINE Words philox(std::uint64_t seed, std::uint64_t c) {
  std::uint32_t x0 = static_cast<std::uint32_t>(c), x1 = static_cast<std::uint32_t>(c >> 32), x2 = 0, x3 = 0;
  auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{x0} * 0xD2511F53u, p1 = std::uint64_t{x2} * 0xCD9E8D57u;
    x0 = static_cast<std::uint32_t>(p1 >> 32) ^ x1 ^ k0;
    x2 = static_cast<std::uint32_t>(p0 >> 32) ^ x3 ^ k1;
    x1 = static_cast<std::uint32_t>(p1);
    x3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{x0, x1, x2, x3}};
}

// Sixteen blocks make a group of elements. Position p of word j is that of block p / 2 + 8 (p % 2): the order of the
// CPU's vectors. A formula makes `count` elements of the words of one position, 16 apart.
constexpr std::int64_t kBlocks = 16;
GRADUS_INLINE std::uint64_t block_of(std::int64_t position) {
  return static_cast<std::uint64_t>(position / 2 + 8 * (position % 2));
}

template <class Formula>
struct FillRandom {
  using T = typename Formula::Out;
  Formula formula;
  RandomRange range;
  std::int64_t n;
  Global<T> out;
  Global<const RandomRange> step;  // in a recorded step: its seed, and the offset that range's counts from
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t group = i / kBlocks, position = i % kBlocks;
    std::uint64_t first = range.offset + static_cast<std::uint64_t>(group * kBlocks), seed = range.seed;
    if (step) {
      seed = step[0].seed;
      first += step[0].offset;
    }
    T values[Formula::count];
    formula.make(philox(seed, first + block_of(position)), values);
    for (std::int64_t k = 0; k < Formula::count; ++k) {
      const std::int64_t at = group * kBlocks * Formula::count + k * kBlocks + position;
      if (at < n) out[at] = values[k];
    }
  }
};

template <class Formula>
void fill_by(RandomRange range, void* out, Int n, const Formula& formula) {
  constexpr Int per_group = kBlocks * Formula::count;
  if (n <= 0) return;
  Recording* const now = recording();
  launch((n + per_group - 1) / per_group * kBlocks,
         FillRandom<Formula>{formula, range, n, output<typename Formula::Out>(out),
                             now != nullptr ? now->place_of(range) : nullptr});
}

template <class T>
struct Uniform;
template <>
struct Uniform<float> {
  using Out = float;
  static constexpr int count = 4;
  float from, scale, last;
  GRADUS_DEVICE void make(const Words& w, float* out) const {
    for (int k = 0; k < 4; ++k) {
      const float x = static_cast<float>(static_cast<std::int32_t>(w.at[k] >> 8)) * 0x1p-24f * scale + from;
      out[k] = x < last ? x : last;
    }
  }
};
template <>
struct Uniform<double> {
  using Out = double;
  static constexpr int count = 2;
  double from, scale, last;
  GRADUS_DEVICE void make(const Words& w, double* out) const {
    for (int k = 0; k < 2; ++k) {
      const double x = kernel::unit_53(w.at[2 * k], w.at[2 * k + 1]) * scale + from;
      out[k] = x < last ? x : last;
    }
  }
};

template <class T>
struct Normal;
template <>
struct Normal<float> {
  using Out = float;
  static constexpr int count = 4;
  float mean, std;
  GRADUS_DEVICE void make(const Words& w, float* out) const {
    for (int j = 0; j < 4; j += 2) {
      const float u = (static_cast<float>(static_cast<std::int32_t>(w.at[j] >> 1)) + 0.5f) * 0x1p-31f;
      const float radius = std::sqrt(-2.0f * kernel::log_of_unit(u)) * std;
      const SineCosine<float> angle = kernel::sine_cosine_of_turn(w.at[j + 1]);
      out[j] = radius * angle.cos + mean;
      out[j + 1] = radius * angle.sin + mean;
    }
  }
};
template <>
struct Normal<double> {
  using Out = double;
  static constexpr int count = 2;
  double mean, std;
  GRADUS_DEVICE void make(const Words& w, double* out) const {
    const double u = kernel::unit_53(w.at[0], w.at[1]) + 0x1p-54;
    const double radius = std::sqrt(-2.0 * kernel::log_of_unit(u)) * std;
    const SineCosine<double> angle = kernel::sine_cosine_of_turn(kernel::unit_53(w.at[2], w.at[3]));
    out[0] = radius * angle.cos + mean;
    out[1] = radius * angle.sin + mean;
  }
};

GRADUS_INLINE std::uint64_t bits_of_pair(const Words& w, int k) {
  return w.at[2 * k] | std::uint64_t{w.at[2 * k + 1]} << 32;
}

struct Integers {
  using Out = std::int64_t;
  static constexpr int count = 2;
  std::uint64_t low, range;
  GRADUS_DEVICE void make(const Words& w, std::int64_t* out) const {
    for (int k = 0; k < 2; ++k) out[k] = static_cast<std::int64_t>(low + kernel::below(range, bits_of_pair(w, k)));
  }
};

struct Bernoulli {
  using Out = std::uint8_t;
  static constexpr int count = 4;
  std::uint32_t last;  // of the words that give 1
  GRADUS_DEVICE void make(const Words& w, std::uint8_t* out) const {
    for (int k = 0; k < 4; ++k) out[k] = w.at[k] <= last ? 1 : 0;
  }
};

}  // namespace

void fill_uniform(RandomRange range, Dtype dtype, void* out, Int n, double from, double to, double last) {
  visit<float, double>("uniform_", dtype, [&]<class T>(T) {
    const T first = static_cast<T>(from), end = static_cast<T>(to);
    // Rounding may reach the end, which is never to come.
    const T most = static_cast<T>(std::min<double>(last, std::nextafter(end, first)));
    fill_by(range, out, n, Uniform<T>{first, end - first, most});
  });
}

void fill_normal(RandomRange range, Dtype dtype, void* out, Int n, double mean, double std) {
  visit<float, double>("normal_", dtype, [&]<class T>(T) {
    fill_by(range, out, n, Normal<T>{static_cast<T>(mean), static_cast<T>(std)});
  });
}

void fill_integers(RandomRange range, Int* out, Int n, Int low, Int high) {
  const auto first = static_cast<std::uint64_t>(low);
  fill_by(range, out, n, Integers{first, static_cast<std::uint64_t>(high) - first});
}

void fill_bernoulli(RandomRange range, std::uint8_t* out, Int n, double p) {
  const double count = std::nearbyint(p * 0x1p32);  // of the words that give 1
  if (n <= 0) return;
  if (count < 1) return clear(out, static_cast<std::size_t>(n));
  fill_by(range, out, n, Bernoulli{static_cast<std::uint32_t>(count - 1)});
}

// Fisher and Yates on the host: each number depends on all before it.
void fill_permutation(RandomRange range, Int* out, Int n) {
  if (n <= 0) return;
  refuse_recording("randperm");
  std::vector<Int> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), Int{0});
  for (Int i = 0; i < n - 1; ++i) {
    const Int group = i / (2 * kBlocks), k = i % (2 * kBlocks) / kBlocks, position = i % kBlocks;
    const Words w = philox(range.seed, range.offset + static_cast<std::uint64_t>(group * kBlocks) + block_of(position));
    const auto left = static_cast<std::uint64_t>(n - i);
    std::swap(numbers[left - 1], numbers[kernel::below(left, bits_of_pair(w, static_cast<int>(k)))]);
  }
  copy_from_host(out, numbers.data(), numbers.size() * sizeof(Int));
}

}  // namespace gradus::gpu
