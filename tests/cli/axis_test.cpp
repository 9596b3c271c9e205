#include "cli/chart/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gradus::cli {
namespace {

using testing::ElementsAre;

std::vector<std::string> texts(const Axis& axis) {
  std::vector<std::string> result;
  for (const Tick& tick : axis.major) result.push_back(tick.power.empty() ? tick.text : tick.text + "^" + tick.power);
  return result;
}

TEST(Axis, PutsLinearTicksOnRoundNumbers) {
  EXPECT_THAT(texts(make_axis(Scale::kLinear, {0, 8}, false)),
              ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8"));
  EXPECT_THAT(texts(make_axis(Scale::kLinear, {-0.3, 0.3}, true)),
              ElementsAre("\u22120.3", "\u22120.2", "\u22120.1", "0", "0.1", "0.2", "0.3"));
  EXPECT_THAT(texts(make_axis(Scale::kLinear, {0, 19990}, false)), ElementsAre("0", "5000", "10000", "15000"));
  EXPECT_THAT(texts(make_axis(Scale::kLinear, {3.17, 3.29}, false)),
              ElementsAre("3.18", "3.20", "3.22", "3.24", "3.26", "3.28"));
}

TEST(Axis, WidensALinearRangeToTicksWhenAsked) {
  const Axis kept = make_axis(Scale::kLinear, {0.3, 7.2}, false);
  EXPECT_EQ(kept.range.low, 0.3);
  EXPECT_EQ(kept.range.high, 7.2);
  const Axis wide = make_axis(Scale::kLinear, {0.3, 7.2}, true);
  EXPECT_EQ(wide.range.low, 0);
  EXPECT_EQ(wide.range.high, 8);
  EXPECT_EQ(wide.position(2), 0.25);
  EXPECT_EQ(wide.position(16), 2);
  for (const double value : wide.minor) EXPECT_EQ(value - std::floor(value), 0.5);
  EXPECT_EQ(wide.minor.size(), 8U);
}

TEST(Axis, PutsLogTicksOnDecades) {
  const Axis axis = make_axis(Scale::kLog10, {1.3e-5, 0.4}, true);
  EXPECT_THAT(texts(axis), ElementsAre("10^\u22125", "10^\u22124", "10^\u22123", "10^\u22122", "10^\u22121", "10^0"));
  EXPECT_EQ(axis.minor.size(), 5 * 8U);
  EXPECT_NEAR(axis.position(1e-5), 0, 1e-12);
  EXPECT_NEAR(axis.position(1e-3), 0.4, 1e-12);
  EXPECT_NEAR(axis.position(1), 1, 1e-12);
  EXPECT_NEAR(axis.position(std::sqrt(1e-3)), 0.7, 1e-12);
}

TEST(Axis, DoesNotWidenWholeDecades) {
  const Axis axis = make_axis(Scale::kLog10, {1e-5, 1}, true);
  EXPECT_EQ(axis.major.size(), 6U);
  EXPECT_EQ(make_axis(Scale::kLog10, {0.01, 0.01}, true).major.size(), 2U);
}

TEST(Axis, ThinsManyDecades) {
  const Axis axis = make_axis(Scale::kLog10, {1e-20, 1}, true);
  EXPECT_THAT(texts(axis), ElementsAre("10^\u221218", "10^\u221215", "10^\u221212", "10^\u22129", "10^\u22126",
                                       "10^\u22123", "10^0"));
  EXPECT_EQ(axis.minor.size(), 14U);
}

TEST(Axis, KnowsWhatHasAPlace) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {std::nan(""), infinity, -infinity}) {
    EXPECT_FALSE(has_place(Scale::kLinear, value));
    EXPECT_FALSE(has_place(Scale::kLog10, value));
  }
  EXPECT_TRUE(has_place(Scale::kLinear, 0));
  EXPECT_TRUE(has_place(Scale::kLinear, -1));
  EXPECT_FALSE(has_place(Scale::kLog10, 0));
  EXPECT_FALSE(has_place(Scale::kLog10, -1));
  EXPECT_TRUE(has_place(Scale::kLog10, 1e-9));
}

TEST(Axis, TakesAnyRange) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double values[] = {0,     -0.0, 1,        -1,    5,   1e-300,  1e300,    -1e300,    1e-310,
                           1e308, 1e16, 1e16 + 2, -7e-9, 0.1, 1.0 / 3, infinity, -infinity, std::nan("")};
  for (const Scale scale : {Scale::kLinear, Scale::kLog10}) {
    for (const double low : values) {
      for (const double high : values) {
        for (const bool widen : {false, true}) {
          const Axis axis = make_axis(scale, {low, high}, widen);
          SCOPED_TRACE(testing::Message() << low << " to " << high);
          EXPECT_LT(axis.range.low, axis.range.high);
          EXPECT_GE(axis.major.size(), 2U);
          EXPECT_LE(axis.major.size(), 10U);
          EXPECT_LE(axis.minor.size(), 700U);
          for (const Tick& tick : axis.major) {
            EXPECT_GE(axis.position(tick.value), -1e-6);
            EXPECT_LE(axis.position(tick.value), 1 + 1e-6);
          }
          if (std::isfinite(low) && std::isfinite(high) && scale == Scale::kLinear && std::abs(low) <= 1e300 &&
              std::abs(high) <= 1e300 && low < high) {
            EXPECT_GE(axis.position(low), -1e-6);
            EXPECT_LE(axis.position(high), 1 + 1e-6);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gradus::cli
