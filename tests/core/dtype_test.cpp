// Element types: float16's conversions bit by bit, promotion, and which numbers a type can hold.
#include <gradus/ops.h>

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>

#include "core/visit.h"

namespace gradus {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Float16 half(std::uint16_t bits) {
  Float16 x;
  x.bits = bits;
  return x;
}

// What IEEE's definition says, in double.
double meaning(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * kInf;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Float16, EveryOneOfThemBecomesTheFloatThatItMeans) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto x = static_cast<std::uint16_t>(bits);
    const auto value = static_cast<float>(half(x));
    if (std::isnan(meaning(x))) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else {
      ASSERT_EQ(value, meaning(x)) << bits;
      ASSERT_EQ(std::signbit(value), bits >= 0x8000) << bits;
      ASSERT_EQ(Float16(value).bits, x) << bits;
    }
  }
}

TEST(Float16, RoundsToTheNearestAndTiesToEven) {
  for (int bits = 0; bits < 0x7bff; ++bits) {  // each finite number and the next
    const auto low = static_cast<std::uint16_t>(bits), high = static_cast<std::uint16_t>(bits + 1);
    const auto middle = static_cast<float>((meaning(low) + meaning(high)) / 2);
    const std::uint16_t even = bits % 2 == 0 ? low : high;
    ASSERT_EQ(Float16(middle).bits, even) << bits;
    ASSERT_EQ(Float16(std::nextafter(middle, 0.0f)).bits, low) << bits;
    ASSERT_EQ(Float16(std::nextafter(middle, 1e9f)).bits, high) << bits;
    ASSERT_EQ(Float16(-middle).bits, even | 0x8000) << bits;
  }
  EXPECT_EQ(Float16(65519.996f).bits, 0x7bff);
  EXPECT_EQ(Float16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(Float16(std::numeric_limits<float>::infinity()).bits, 0x7c00);
  EXPECT_EQ(Float16(-std::numeric_limits<float>::max()).bits, 0xfc00);
  EXPECT_EQ(Float16(std::numeric_limits<float>::denorm_min()).bits, 0);
  EXPECT_TRUE(std::isnan(static_cast<float>(Float16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Dtype, LoopsConvertAsSingleNumbersDo) {
  std::vector<float> values;
  for (std::uint32_t u = 0; u < 4000; ++u) values.push_back(std::bit_cast<float>(u * 1073741u));  // all over the range
  const Tensor x = tensor(values), halves = x.to(kFloat16), narrow = x.to(kBFloat16);
  const auto h = halves.to_vector<Float16>();
  const auto b = narrow.to_vector<BFloat16>();
  const auto back = halves.to(kFloat32).to_vector<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(h[i].bits, Float16(values[i]).bits) << values[i];
    ASSERT_EQ(b[i].bits, BFloat16(values[i]).bits) << values[i];
    ASSERT_TRUE(back[i] == static_cast<float>(h[i]) || std::isnan(back[i])) << values[i];
  }
}

TEST(Dtype, EveryTypeBecomesEveryOther) {
  const std::vector<Dtype> all{kBool, kUInt8, kInt8, kInt16, kInt32, kInt64, kFloat16, kBFloat16, kFloat32, kFloat64};
  for (const Dtype from : all) {
    for (const Dtype to : all) {
      // More than a block, in rows that are apart, so that conversions in several steps meet all cases.
      const Tensor x = (remainder(arange(2600) * 7, tensor(101)) - (from == kUInt8 ? 0 : 50)).to(from);
      const Tensor y = x.to(to), wide = x.to(kFloat64);
      for (std::int64_t i = 0; i < x.numel(); i += 97) {
        const double value = wide[i].item();
        double expected = value;
        if (to == kBool) expected = value != 0;
        if (to == kUInt8) expected = value < 0 ? value + 256 : value;
        ASSERT_EQ(y[i].item(), expected) << to_string(from) << " to " << to_string(to) << " at " << i;
      }
      const Tensor columns = x.view({26, 100}).t();
      ASSERT_TRUE(equal(columns.to(to), y.view({26, 100}).t())) << to_string(from) << " to " << to_string(to);
      ASSERT_EQ(y.dtype(), to);
    }
  }
}

TEST(Dtype, PromotesAsPyTorch) {
  EXPECT_EQ(promote_types(kFloat16, kBFloat16), kFloat32);
  EXPECT_EQ(promote_types(kBFloat16, kFloat16), kFloat32);
  EXPECT_EQ(promote_types(kUInt8, kInt8), kInt16);
  EXPECT_EQ(promote_types(kInt8, kInt16), kInt16);
  EXPECT_EQ(promote_types(kUInt8, kInt16), kInt16);
  EXPECT_EQ(promote_types(kInt64, kFloat16), kFloat16);
  EXPECT_EQ(promote_types(kFloat16, kFloat32), kFloat32);
  EXPECT_EQ(promote_types(kBool, kInt8), kInt8);
  EXPECT_EQ((ones({2}, {.dtype = kFloat16}) + ones({2}, {.dtype = kBFloat16})).dtype(), kFloat32);
  EXPECT_EQ((ones({2}, {.dtype = kInt8}) + ones({2}, {.dtype = kUInt8})).dtype(), kInt16);
  EXPECT_EQ((ones({2}, {.dtype = kInt8}) + 1.5).dtype(), kFloat32);
  EXPECT_EQ((ones({2}, {.dtype = kFloat16}) + 1.5).dtype(), kFloat16);
  EXPECT_EQ(exp(ones({2}, {.dtype = kInt16})).dtype(), kFloat32);
}

TEST(Dtype, VisitRefusesWhatIsNotListed) {
  int seen = 0;
  visit<float, double>("mine", kFloat64, [&]<class T>(T) { seen = sizeof(T); });
  EXPECT_EQ(seen, 8);
  for (const Dtype dtype : {kFloat16, kBFloat16, kInt8, kInt64, kBool}) {
    EXPECT_THROW((visit<float, double>("mine", dtype, [](auto) { FAIL(); })), DtypeError) << to_string(dtype);
  }
}

TEST(Scalar, KnowsWhichNumbersATypeHolds) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  struct Case {
    Scalar value;
    Dtype dtype;
    bool fits;
  };
  const std::vector<Case> cases{// as torch.full says of each
                                {-1, kUInt8, true},
                                {-255, kUInt8, true},
                                {-256, kUInt8, false},
                                {255, kUInt8, true},
                                {256, kUInt8, false},
                                {255.9, kUInt8, false},
                                {-0.5, kUInt8, false},
                                {1.9, kUInt8, true},
                                {127, kInt8, true},
                                {128, kInt8, false},
                                {-128, kInt8, true},
                                {-129, kInt8, false},
                                {32768, kInt16, false},
                                {std::int64_t{1} << 31, kInt32, false},
                                {2147483647.5, kInt32, false},
                                {nan, kInt64, false},
                                {kInf, kInt64, false},
                                {0x1p63, kInt64, false},
                                {-0x1p63, kInt64, true},
                                {1e300, kFloat32, false},
                                {kInf, kFloat32, true},
                                {nan, kFloat32, true},
                                {65504.0, kFloat16, true},
                                {65505.0, kFloat16, false},
                                {1e38, kBFloat16, true},
                                {3.4e38, kBFloat16, false},
                                {1e300, kFloat64, true},
                                {nan, kBool, true},
                                {7, kBool, true}};
  for (const Case& c : cases)
    EXPECT_EQ(c.value.fits(c.dtype), c.fits) << to_string(c.value) << " " << to_string(c.dtype);
  EXPECT_THROW(Scalar(300).to<std::uint8_t>(), ValueError);
  EXPECT_THROW(Scalar(nan).to<std::int64_t>(), ValueError);
  EXPECT_THROW(Scalar(1e300).to<float>(), ValueError);
  EXPECT_EQ(Scalar(-1).to<std::uint8_t>(), 255);
  EXPECT_THROW(tensor({1e30}, {.dtype = kFloat64}).item<std::int32_t>(), ValueError);
}

}  // namespace
}  // namespace gradus
