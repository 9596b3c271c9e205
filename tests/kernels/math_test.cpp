#include "kernels/math.h"

#include <gradus/core/portable.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class OwnMath : public testing::Test {
 protected:
  OwnMath() { set_portable(true); }
  ~OwnMath() override { set_portable(false); }
};

// A row of numbers of all sizes in a range, each a product of exact ones.
struct Draw {
  std::uint64_t state = 1;
  double unit() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) * 0x1p-53;
  }
  double uniform(double low, double high) { return low + unit() * (high - low); }
  double sized(int low, int high) {
    const double part = uniform(-1, 1);
    return std::ldexp(part, low + static_cast<int>(unit() * (high - low)));
  }
};

struct Function {
  const char* name;
  double (*own)(double);
  double (*of_libm)(double);
  float (*own32)(float);
  double low, high;  // where it is tried, beside numbers of all sizes within
  double ulp;        // at most, against the C library's, which has half a unit or one of its own
  std::uint64_t hash, hash32;
};

#define GRADUS_FUNCTION(name, low, high, ulp, hash, hash32)                                                            \
  {                                                                                                                    \
#name,                                                                                                             \
        [](double                                                                                                      \
               x) { return math::name(x); },                                                                           \
                                          [](double                                                                    \
                                                 x) { return std::name(x); },                                          \
                                                                           [](float x) { return math::name(x); }, low, \
                                                                                                               high,   \
                                                                                                               ulp,    \
                                                                                                               hash,   \
                                                                                                               hash32  \
  }

// The hashes are those of every processor.
const std::vector<Function>& functions() {
  static const std::vector<Function> all{
      GRADUS_FUNCTION(exp, -750, 712, 2, 0xba67dde1dac4d5a8, 0xa0d07df04a5dde49),
      GRADUS_FUNCTION(expm1, -60, 712, 3, 0x4663bf4ec8f103a, 0xab22c585e9b2f87d),
      GRADUS_FUNCTION(log, 0, 1e300, 2, 0xb099c3017fa45fd6, 0xf61a4777f916584f),
      GRADUS_FUNCTION(log1p, -1, 1e3, 3, 0x500ca19fcc37c2b8, 0xffb6aa65478fec7d),
      GRADUS_FUNCTION(log2, 0, 1e300, 3, 0x65e2eba74fd556bd, 0x630cde5551ababe),
      GRADUS_FUNCTION(log10, 0, 1e300, 3, 0x8c29a8f2ba8b1ae4, 0x4b7e05097eaf1053),
      GRADUS_FUNCTION(sin, -1e6, 1e6, 4, 0xd63a98cda9cecdd6, 0xe87505bf8796c598),
      GRADUS_FUNCTION(cos, -1e6, 1e6, 4, 0x17b9bca19e0a61df, 0xf939b3b864b444cc),
      GRADUS_FUNCTION(tan, -1e6, 1e6, 5, 0x4bce839121e6476f, 0x974c8584bcac04ee),
      GRADUS_FUNCTION(atan, -1e6, 1e6, 3, 0xb84707186ebe3163, 0x8a4a968318599d4c),
      GRADUS_FUNCTION(tanh, -30, 30, 4, 0x20704f3a057ed332, 0xfe0f85e588a7a624),
      GRADUS_FUNCTION(erf, -7, 7, 3, 0x23586641aeca4ec4, 0x66b0f8ff6593c66b),
  };
  return all;
}

std::vector<double> arguments(const Function& f) {
  Draw draw;
  std::vector<double> all;
  for (int i = 0; i < 2000; ++i) {
    all.push_back(draw.uniform(f.low, f.high));
    const double any = draw.sized(-1020, 1000), near = draw.sized(-30, 3);
    for (const double x : {any, near, 1 + near * 0x1p-3})
      if (x >= f.low && x <= f.high) all.push_back(x);
  }
  return all;
}

struct Hash {
  std::uint64_t value = 0xcbf29ce484222325;
  void add(std::uint64_t bits) {
    for (int i = 0; i < 8; ++i) value = (value ^ (bits >> (8 * i) & 0xff)) * 0x100000001b3;
  }
  // All NaNs are alike: their bits are the processor's.
  void add(double x) { add(std::isnan(x) ? 1 : std::bit_cast<std::uint64_t>(x)); }
};

double units_off(double got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : kInfinity;
  if (got == want) return 0;
  const double unit = std::abs(std::nextafter(want, got) - want);
  return std::isinf(want) || std::isinf(got) ? kInfinity : std::abs(got - want) / unit;
}

TEST_F(OwnMath, IsNearTheLibrarysAndTheSameBitsEverywhere) {
  for (const Function& f : functions()) {
    Hash hash, hash32;
    double worst = 0, worst_at = 0;
    for (const double x : arguments(f)) {
      const double y = f.own(x);
      if (const double off = units_off(y, f.of_libm(x)); off > worst) worst = off, worst_at = x;
      hash.add(y);
      hash32.add(static_cast<double>(f.own32(static_cast<float>(x))));
    }
    EXPECT_LE(worst, f.ulp) << f.name << " of " << worst_at;
    EXPECT_EQ(hash.value, f.hash) << f.name << std::hex << " 0x" << hash.value;
    EXPECT_EQ(hash32.value, f.hash32) << f.name << " of float32" << std::hex << " 0x" << hash32.value;
  }
}

TEST_F(OwnMath, TreatsLimitsAsTheLibrary) {
  const double limits[] = {0.0,     -0.0,  1.0,    -1.0, kInfinity, -kInfinity, kNaN, 5e-324,
                           -5e-324, 1e308, -1e308, 2.5,  -2.5,      3.0,        -3.0, 0x1p-1022};
  const auto alike = [](double got, double want) {
    return units_off(got, want) <= 4 && (std::isnan(want) || std::signbit(got) == std::signbit(want));
  };
  for (const Function& f : functions())
    for (const double x : limits)
      EXPECT_TRUE(alike(f.own(x), f.of_libm(x))) << f.name << "(" << x << ") = " << f.own(x) << ", " << f.of_libm(x);
  for (const double x : limits) {
    for (const double y : limits) {
      EXPECT_TRUE(alike(math::pow(x, y), std::pow(x, y))) << "pow(" << x << ", " << y << ") = " << math::pow(x, y);
      EXPECT_TRUE(alike(math::atan2(x, y), std::atan2(x, y))) << "atan2(" << x << ", " << y << ")";
    }
  }
}

TEST_F(OwnMath, PowersAreExactWhereTheyCanBeAndNearElsewhere) {
  for (int n = -1074; n < 1024; ++n) EXPECT_EQ(math::pow(2.0, n), std::ldexp(1.0, n)) << n;
  for (int n = 0; n <= 22; ++n) EXPECT_EQ(math::pow(10.0, n), std::stod("1e" + std::to_string(n))) << n;
  EXPECT_EQ(math::pow(-3.0, 3), -27);
  Draw draw;
  Hash hash;
  for (int i = 0; i < 4000; ++i) {
    const double x = draw.uniform(0.5, 2), y = draw.uniform(-40, 40), power = math::pow(x, y);
    EXPECT_LE(units_off(power, std::pow(x, y)), 3) << x << " " << y;
    hash.add(power);
    hash.add(math::atan2(x, y));
    hash.add(static_cast<double>(math::pow(static_cast<float>(x), static_cast<float>(y))));
  }
  EXPECT_EQ(hash.value, 0x7de6854297b47478) << std::hex << "0x" << hash.value;
}

template <class T>
struct ExpBody {
  GRADUS_INLINE static void run(const T* x, T* y, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = math::exp(x[i]);
  }
};

// Loops have the same bits in whole vectors and in what is left over.
template <class T>
void expect_vectors_as_singles() {
  Draw draw;
  std::vector<T> x, y(67);
  for (std::size_t i = 0; i < y.size(); ++i) x.push_back(static_cast<T>(draw.uniform(-20, 20)));
  simd_call<ExpBody<T>>(static_cast<const T*>(x.data()), y.data(), static_cast<std::int64_t>(y.size()));
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], math::exp(x[i])) << i;
}

TEST_F(OwnMath, VectorsAreAsSingleNumbers) {
  expect_vectors_as_singles<float>();
  expect_vectors_as_singles<double>();
}

TEST_F(OwnMath, UsesTheLoopsOfEveryProcessorUntilItIsLeft) {
  for (const Isa isa : {Isa::v4, Isa::v3, Isa::base}) {
    set_isa(isa);
    EXPECT_EQ(current_isa(), Isa::base);
  }
  set_portable(false);
  EXPECT_EQ(current_isa(), best_isa());
  EXPECT_EQ(math::exp(0.3), std::exp(0.3));
}

}  // namespace
}  // namespace gradus::cpu
