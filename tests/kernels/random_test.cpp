#include "kernels/cpu/random/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <numbers>
#include <set>
#include <utility>
#include <vector>

#include "core/threads/parallel.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/formulas/random_math.h"

namespace gradus::cpu {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();

using Block = std::array<std::uint32_t, 4>;

// The generator as the paper has it.
Block philox(Block c, std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0], p1 = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

// Word j at position p of group g of a stream, by the order philox.h promises.
std::uint32_t word(RandomRange stream, std::int64_t g, int j, int p) {
  const std::uint64_t block = stream.offset + static_cast<std::uint64_t>(g * 16 + p / 2 + 8 * (p % 2));
  return philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0},
                static_cast<std::uint32_t>(stream.seed),
                static_cast<std::uint32_t>(stream.seed >> 32))[static_cast<std::size_t>(j)];
}

class Random : public testing::Test {
 protected:
  ~Random() override {
    set_isa(best_isa());
    set_num_threads(threads_);
  }

  template <class F>
  static void on_every_isa(F&& check) {
    for (const Isa isa : {Isa::base, Isa::v3, Isa::v4}) {
      if (isa > best_isa()) continue;
      set_isa(isa);
      SCOPED_TRACE(static_cast<int>(isa));
      check();
    }
  }

 private:
  int threads_ = get_num_threads();
};

template <class T, class F>
std::vector<T> filled(std::int64_t n, F&& fill) {
  std::vector<T> out(static_cast<std::size_t>(n));
  fill(out.data(), n);
  return out;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Chi-square, as its distance from the expectation in standard deviations: beyond 4.5 by chance once in 100,000.
double chi_square_excess(const std::vector<std::int64_t>& counts, const std::vector<double>& expected) {
  double chi = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    chi += std::pow(static_cast<double>(counts[i]) - expected[i], 2) / expected[i];
  }
  const auto freedom = static_cast<double>(counts.size() - 1);
  return (chi - freedom) / std::sqrt(2 * freedom);
}

double even_excess(const std::vector<std::int64_t>& counts, std::int64_t n) {
  return chi_square_excess(
      counts, std::vector<double>(counts.size(), static_cast<double>(n) / static_cast<double>(counts.size())));
}

// Moments of what should be standard normal, in standard deviations of their own.
template <class T>
void expect_standard_normal(const std::vector<T>& x) {
  const auto n = static_cast<double>(x.size());
  std::array<double, 5> m{};
  double neighbours = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    double power = 1;
    for (double& moment : m) {
      moment += power / n;
      power *= static_cast<double>(x[i]);
    }
    neighbours += static_cast<double>(x[i]) * static_cast<double>(x[(i + 1) % x.size()]) / n;
  }
  EXPECT_LT(std::abs(m[1]) * std::sqrt(n), 4.5);
  EXPECT_LT(std::abs(m[2] - 1) * std::sqrt(n / 2), 4.5);
  EXPECT_LT(std::abs(m[3]) * std::sqrt(n / 15), 4.5);
  EXPECT_LT(std::abs(m[4] - 3) * std::sqrt(n / 96), 4.5);
  EXPECT_LT(std::abs(neighbours) * std::sqrt(n), 4.5);

  constexpr int kBins = 80;
  std::vector<std::int64_t> counts(kBins, 0);
  std::vector<double> expected(kBins);
  const auto below = [](double at) { return 0.5 * std::erfc(-at / std::numbers::sqrt2); };
  const auto edge = [](int bin) { return bin == 0 ? -99.0 : bin == kBins ? 99.0 : (bin - kBins / 2) * 0.1; };
  for (const T value : x) {
    const double bin = std::floor(static_cast<double>(value) * 10) + kBins / 2;
    ++counts[static_cast<std::size_t>(std::clamp(bin, 0.0, kBins - 1.0))];
  }
  for (int bin = 0; bin < kBins; ++bin) {
    expected[static_cast<std::size_t>(bin)] = n * (below(edge(bin + 1)) - below(edge(bin)));
  }
  EXPECT_LT(chi_square_excess(counts, expected), 4.5);
}

// https://github.com/DEShawResearch/random123, tests/kat_vectors
TEST_F(Random, PhiloxGivesThePublishedAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST_F(Random, BitsAreThoseOfPhiloxAlsoWhereTheCounterCarries) {
  on_every_isa([] {
    for (const RandomRange stream :
         {RandomRange{0, 0}, RandomRange{42, 16}, RandomRange{0xfedcba9876543210, 3}, RandomRange{1, 0xfffffff5},
          RandomRange{~0ull, ~0ull - 20}, RandomRange{5, 0x123456789abcdef0}}) {
      const std::int64_t n = 100;
      // Of bits b, the widest range makes lowest + b - 1.
      const auto x = filled<std::int64_t>(
          n, [&](auto* out, std::int64_t count) { fill_integers(stream, out, count, kLowest, kHighest); });
      for (std::int64_t i = 0; i < n; ++i) {
        const int p = static_cast<int>(i % 16), j = static_cast<int>(i / 16 % 2) * 2;
        const std::uint64_t bits =
            word(stream, i / 32, j, p) | static_cast<std::uint64_t>(word(stream, i / 32, j + 1, p)) << 32;
        ASSERT_EQ(static_cast<std::uint64_t>(x[static_cast<std::size_t>(i)]) - static_cast<std::uint64_t>(kLowest),
                  bits - 1)
            << i;
      }
    }
  });
}

// Every fill, the same way: `check(name, fill)` with fill(out, n, stream).
template <class F>
void for_every_fill(F&& check) {
  check("uniform float", float{},
        [](auto* out, std::int64_t n, RandomRange s) { fill_uniform(s, out, n, -1.0f, 2.0f); });
  check("uniform double", double{},
        [](auto* out, std::int64_t n, RandomRange s) { fill_uniform(s, out, n, -1.0, 2.0); });
  check("normal float", float{}, [](auto* out, std::int64_t n, RandomRange s) { fill_normal(s, out, n, 0.3f, 1.7f); });
  check("normal double", double{}, [](auto* out, std::int64_t n, RandomRange s) { fill_normal(s, out, n, 0.3, 1.7); });
  check("integers", std::int64_t{},
        [](auto* out, std::int64_t n, RandomRange s) { fill_integers(s, out, n, -5, 1000); });
  check("bernoulli", std::uint8_t{}, [](auto* out, std::int64_t n, RandomRange s) { fill_bernoulli(s, out, n, 0.4); });
}

TEST_F(Random, BitsDependNeitherOnThreadsNorOnTheInstructionSet) {
  for_every_fill([](const char* name, auto zero, auto fill) {
    using T = decltype(zero);
    SCOPED_TRACE(name);
    const RandomRange stream{99, 7};
    const std::int64_t n = 100003;
    set_num_threads(1);
    set_isa(Isa::base);
    const auto expected = filled<T>(n, [&](T* out, std::int64_t count) { fill(out, count, stream); });
    for (const int threads : {1, 2, 3, 7}) {
      set_num_threads(threads);
      on_every_isa([&] {
        EXPECT_TRUE(same_bits(expected, filled<T>(n, [&](T* out, std::int64_t count) { fill(out, count, stream); })));
      });
    }
  });
}

TEST_F(Random, AnElementDoesNotDependOnHowManyThereAreNorWhereTheyLie) {
  for_every_fill([](const char* name, auto zero, auto fill) {
    using T = decltype(zero);
    SCOPED_TRACE(name);
    on_every_isa([&] {
      const auto expected = filled<T>(300, [&](T* out, std::int64_t n) { fill(out, n, {3, 0}); });
      for (std::int64_t n = 0; n < 200; ++n) {
        std::vector<T> out(static_cast<std::size_t>(n) + 2, T{99});
        fill(out.data() + 1, n, {3, 0});
        ASSERT_EQ(std::memcmp(out.data() + 1, expected.data(), static_cast<std::size_t>(n) * sizeof(T)), 0) << n;
        ASSERT_EQ(out.front(), T{99});
        ASSERT_EQ(out.back(), T{99});
      }
    });
  });
}

TEST_F(Random, SuccessiveDrawsAreDisjoint) {
  EXPECT_EQ(uniform_blocks(0, 4), 0u);
  EXPECT_EQ(uniform_blocks(1, 4), 16u);
  EXPECT_EQ(uniform_blocks(64, 4), 16u);
  EXPECT_EQ(uniform_blocks(65, 4), 32u);
  EXPECT_EQ(integer_blocks(32), 16u);
  EXPECT_EQ(integer_blocks(33), 32u);
  std::set<std::int64_t> seen;
  RandomRange stream{4, 0};
  std::size_t drawn = 0;
  for (std::int64_t n = 0; n < 150; ++n) {
    const auto x = filled<std::int64_t>(
        n, [&](auto* out, std::int64_t count) { fill_integers(stream, out, count, kLowest, kHighest); });
    seen.insert(x.begin(), x.end());
    drawn += x.size();
    stream.offset += integer_blocks(n);
  }
  EXPECT_EQ(seen.size(), drawn);
  // Other seeds give other numbers.
  const auto other = filled<std::int64_t>(1000, [](auto* out, std::int64_t n) {
    fill_integers({5, 0}, out, n, kLowest, kHighest);
  });
  for (const std::int64_t x : other) EXPECT_EQ(seen.count(x), 0u);
}

template <class T>
void expect_uniform(int bits) {
  const std::int64_t n = 1 << 20;
  const auto x = filled<T>(n, [](T* out, std::int64_t count) { fill_uniform({1, 0}, out, count, T{0}, T{1}); });
  std::vector<std::int64_t> counts(256, 0), low_counts(256, 0);
  double mean = 0, square = 0;
  for (const T value : x) {
    ASSERT_GE(value, T{0});
    ASSERT_LT(value, T{1});
    const T whole = std::ldexp(value, bits);
    ASSERT_EQ(whole, std::floor(whole));
    ++counts[static_cast<std::size_t>(value * 256)];
    ++low_counts[static_cast<std::uint64_t>(whole) & 255];
    mean += static_cast<double>(value) / static_cast<double>(n);
    square += static_cast<double>(value) * static_cast<double>(value) / static_cast<double>(n);
  }
  EXPECT_LT(std::abs(mean - 0.5) * std::sqrt(12.0 * static_cast<double>(n)), 4.5);
  EXPECT_LT(std::abs(square - 1.0 / 3) * std::sqrt(45.0 / 4 * static_cast<double>(n)), 4.5);
  EXPECT_LT(even_excess(counts, n), 4.5);
  EXPECT_LT(even_excess(low_counts, n), 4.5);
}

TEST_F(Random, UniformIsEvenInItsFirstAndLastBits) {
  expect_uniform<float>(24);
  expect_uniform<double>(53);
}

TEST_F(Random, UniformKeepsItsBounds) {
  on_every_isa([] {
    const float one_up = std::nextafter(1.0f, 2.0f), far = 16777216.0f;
    for (const auto& [from, to] :
         {std::pair{1.0f, one_up}, std::pair{far, far + 4}, std::pair{-1e30f, 1e30f}, std::pair{-3.0f, -2.0f}}) {
      std::set<float> seen;
      for (const float x : filled<float>(5000, [f = from, t = to](auto*out, std::int64_t n) {
             fill_uniform({8, 0}, out, n, f, t);
           })) {
        ASSERT_GE(x, from);
        ASSERT_LT(x, to);
        seen.insert(x);
      }
      EXPECT_EQ(seen.size() == 1, to == one_up);
    }
    for (const double x : filled<double>(100, [](auto*out, std::int64_t n) {
           fill_uniform({8, 0}, out, n, 0.1, 0.1);
         })) {
      ASSERT_EQ(x, 0.1);
    }
  });
}

TEST_F(Random, NormalHasItsMomentsAndShape) {
  const std::int64_t n = 1 << 20;
  expect_standard_normal(filled<float>(n, [](auto* out, std::int64_t count) {
    fill_normal({2, 0}, out, count, 0.0f, 1.0f);
  }));
  expect_standard_normal(filled<double>(n, [](auto* out, std::int64_t count) {
    fill_normal({2, 0}, out, count, 0.0, 1.0);
  }));
}

TEST_F(Random, NormalFollowsItsFormulaClosely) {
  constexpr long double kTurn = 2 * std::numbers::pi_v<long double>;
  const RandomRange stream{77, 0};
  on_every_isa([&] {
    const auto x = filled<float>(6400, [&](auto* out, std::int64_t n) { fill_normal(stream, out, n, 0.0f, 1.0f); });
    const auto y = filled<double>(3200, [&](auto* out, std::int64_t n) { fill_normal(stream, out, n, 10.0, 3.0); });
    const auto unit = [&](std::int64_t g, int j, int p) {
      return (std::ldexp(static_cast<long double>(word(stream, g, j, p) >> 5), 26) +
              static_cast<long double>(word(stream, g, j + 1, p) >> 6)) /
             0x1p53L;
    };
    for (std::int64_t g = 0; g < 100; ++g) {
      for (int p = 0; p < 16; ++p) {
        for (int j = 0; j < 4; j += 2) {
          const long double u = (static_cast<long double>(word(stream, g, j, p) >> 1) + 0.5L) / 0x1p31L;
          const long double angle = static_cast<long double>(word(stream, g, j + 1, p)) / 0x1p32L * kTurn;
          const long double radius = std::sqrt(-2 * std::log(u));
          const auto at = static_cast<std::size_t>(g * 64 + j * 16 + p);
          // The uniform number itself has 24 bits, which counts where it is near 1 and the radius small.
          const long double error = 6e-7L * std::max(1.0L, radius) + 6e-8L / std::max(radius, 1e-4L);
          ASSERT_NEAR(static_cast<double>(radius * std::cos(angle)), static_cast<double>(x[at]),
                      static_cast<double>(error));
          ASSERT_NEAR(static_cast<double>(radius * std::sin(angle)), static_cast<double>(x[at + 16]),
                      static_cast<double>(error));
        }
        const long double radius = 3 * std::sqrt(-2 * std::log(unit(g, 0, p) + 0x1p-54L));
        const long double angle = unit(g, 2, p) * kTurn;
        const auto at = static_cast<std::size_t>(g * 32 + p);
        ASSERT_NEAR(static_cast<double>(10 + radius * std::cos(angle)), y[at], 1e-14);
        ASSERT_NEAR(static_cast<double>(10 + radius * std::sin(angle)), y[at + 16], 1e-14);
      }
    }
  });
}

TEST_F(Random, FunctionsBehindNormalNumbersAreExactToTheLastBits) {
  EXPECT_EQ(log_of_unit(1.0f), 0.0f);
  EXPECT_EQ(log_of_unit(1.0), 0.0);
  for (double x = 0.9999999; x > 0x1p-54; x *= 0.9973) {
    const auto narrow = static_cast<float>(x);
    ASSERT_LE(std::abs(log_of_unit(x) / std::log(x) - 1), 8e-16) << x;
    if (narrow < 1) {
      ASSERT_LE(std::abs(log_of_unit(narrow) / std::log(static_cast<double>(narrow)) - 1), 3e-7) << x;
    }
  }
  for (int i = 0; i < 4096; ++i) {
    const double u = i / 4096.0 + 1e-7, angle = 2 * std::numbers::pi * u;
    ASSERT_NEAR(sine_cosine_of_turn(u).sin, std::sin(angle), 1e-15);
    ASSERT_NEAR(sine_cosine_of_turn(u).cos, std::cos(angle), 1e-15);
    const auto w = static_cast<std::uint32_t>(i) * 1048573u;
    const double turn = w / 0x1p32 * 2 * std::numbers::pi;
    ASSERT_NEAR(sine_cosine_of_turn(w).sin, std::sin(turn), 1.5e-7);
    ASSERT_NEAR(sine_cosine_of_turn(w).cos, std::cos(turn), 1.5e-7);
  }
}

TEST_F(Random, NormalIsFiniteAtTheEndsOfItsInputs) {
  for (const float u : {0x1p-32f, 0x1p-31f, 1.0f, 1.0f - 0x1p-24f}) {
    const float radius = std::sqrt(-2.0f * log_of_unit(u));
    EXPECT_TRUE(std::isfinite(radius));
    EXPECT_LT(radius, 6.67f);
  }
  for (const double u : {0x1p-54, 1.0, 1.0 - 0x1p-53}) {
    const double radius = std::sqrt(-2.0 * log_of_unit(u));
    EXPECT_TRUE(std::isfinite(radius));
    EXPECT_LT(radius, 8.66);
  }
}

TEST_F(Random, NormalHasItsMeanAndSpread) {
  const auto x = filled<float>(100000, [](auto* out, std::int64_t n) { fill_normal({6, 0}, out, n, 5.0f, 0.0f); });
  EXPECT_EQ(*std::min_element(x.begin(), x.end()), 5.0f);
  EXPECT_EQ(*std::max_element(x.begin(), x.end()), 5.0f);
  auto y = filled<double>(1 << 18, [](auto* out, std::int64_t n) { fill_normal({6, 0}, out, n, -2.0, 4.0); });
  for (double& value : y) value = (value + 2) / 4;
  expect_standard_normal(y);
}

TEST_F(Random, IntegersAreEvenAndKeepTheirBounds) {
  on_every_isa([] {
    const std::int64_t n = 1 << 17;
    for (const std::int64_t range : {1, 2, 7, 1000}) {
      for (const std::int64_t low : {std::int64_t{-3}, kLowest, kHighest - range}) {
        std::vector<std::int64_t> counts(static_cast<std::size_t>(range), 0);
        for (const std::int64_t x : filled<std::int64_t>(n, [&](auto*out, std::int64_t count) {
               fill_integers({3, 0}, out, count, low, low + range);
             })) {
          ASSERT_GE(x, low);
          ASSERT_LT(x, low + range);
          ++counts[static_cast<std::size_t>(x - low)];
        }
        if (range > 1) {
          EXPECT_LT(even_excess(counts, n), 4.5);
        }
      }
    }
  });
}

TEST_F(Random, BernoulliHasItsProbability) {
  on_every_isa([] {
    const std::int64_t n = 1 << 20;
    for (const double p : {0.0, 0x1p-40, 0.001, 0.3, 0.5, 0.999, 1.0}) {
      double ones = 0;
      for (const std::uint8_t x : filled<std::uint8_t>(n, [&](auto*out, std::int64_t count) {
             fill_bernoulli({9, 0}, out, count, p);
           })) {
        ASSERT_LE(x, 1);
        ones += x;
      }
      const double spread = std::sqrt(static_cast<double>(n) * p * (1 - p));
      EXPECT_LE(std::abs(ones - static_cast<double>(n) * p), 4.5 * spread) << p;
    }
  });
}

std::vector<std::int64_t> permutation(std::int64_t n, RandomRange stream) {
  return filled<std::int64_t>(n, [&](auto* out, std::int64_t count) { fill_permutation(stream, out, count); });
}

TEST_F(Random, PermutationsHoldEveryNumberOnce) {
  for (const std::int64_t n : {0, 1, 2, 3, 100, 2048, 2049, 2050, 10000}) {
    auto x = permutation(n, {1, 0});
    set_num_threads(3);
    EXPECT_EQ(permutation(n, {1, 0}), x);
    if (n >= 100) {
      EXPECT_NE(permutation(n, {2, 0}), x);
      EXPECT_NE(permutation(n, {1, 16}), x);
    }
    std::sort(x.begin(), x.end());
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(x[i], static_cast<std::int64_t>(i));
  }
}

TEST_F(Random, PermutationsAreAllAsLikely) {
  std::map<std::vector<std::int64_t>, std::int64_t> seen;
  RandomRange stream{12, 0};
  const std::int64_t n = 24000;
  for (std::int64_t i = 0; i < n; ++i) {
    ++seen[permutation(4, stream)];
    stream.offset += integer_blocks(4);
  }
  ASSERT_EQ(seen.size(), 24u);
  std::vector<std::int64_t> counts;
  for (const auto& [unused, count] : seen) counts.push_back(count);
  EXPECT_LT(even_excess(counts, n), 4.5);

  // Of a long one: how far places and values go together.
  const auto x = permutation(100000, {12, 0});
  double together = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    together += (static_cast<double>(i) / 1e5 - 0.5) * (static_cast<double>(x[i]) / 1e5 - 0.5) * 12;
  }
  EXPECT_LT(std::abs(together) / std::sqrt(1e5), 4.5);
}

}  // namespace
}  // namespace gradus::cpu
