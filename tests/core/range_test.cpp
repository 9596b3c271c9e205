#include "core/range.h"

#include <gmock/gmock.h>
#include <gradus/core/error.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Range, HoldsItsEndsUnlessTheyAreOpen) {
  EXPECT_TRUE(between(0, 1).contains(0.0));
  EXPECT_TRUE(between(0, 1).contains(1.0));
  EXPECT_FALSE(between(0, 1).contains(std::nextafter(1.0, 2.0)));
  EXPECT_TRUE(from_below(0, 1).contains(0.0));
  EXPECT_FALSE(from_below(0, 1).contains(1.0));
  EXPECT_FALSE(inside(0, 1).contains(0.0));
  EXPECT_TRUE(inside(0, 1).contains(std::numeric_limits<double>::denorm_min()));
  EXPECT_FALSE(above(2).contains(2.0));
  EXPECT_TRUE(at_least(2).contains(2.0));
  EXPECT_TRUE(at_most(2).contains(-1e300));
}

TEST(Range, HoldsFiniteNumbersAlone) {
  for (const Range& range : {any_number, at_least(0), above(0), between(0, 1)}) {
    EXPECT_FALSE(range.contains(kInfinity)) << rule_of(range);
    EXPECT_FALSE(range.contains(std::nan(""))) << rule_of(range);
  }
}

TEST(Range, HoldsTheWordsThatAreListed) {
  const Range words = one_of("linear, cosine");
  EXPECT_TRUE(words.contains(std::string_view("linear")));
  EXPECT_TRUE(words.contains(std::string_view("cosine")));
  EXPECT_FALSE(words.contains(std::string_view("cos")));
  EXPECT_FALSE(words.contains(std::string_view("linear, cosine")));
  EXPECT_FALSE(words.contains(std::string_view("")));
  EXPECT_EQ(rule_of(words), "one of linear, cosine");
}

TEST(Range, IsToldAsARule) {
  EXPECT_EQ(rule_of(any_number), "finite");
  EXPECT_EQ(rule_of(at_least(0)), "finite and at least 0");
  EXPECT_EQ(rule_of(above(0.5)), "finite and above 0.5");
  EXPECT_EQ(rule_of(at_most(3)), "finite and at most 3");
  EXPECT_EQ(rule_of(between(0, 1)), "in [0, 1]");
  EXPECT_EQ(rule_of(from_below(0, 1)), "in [0, 1)");
  EXPECT_EQ(rule_of(inside(-1, 1)), "in (-1, 1)");
}

TEST(Range, IsCheckedWithTheCallTheRuleAndTheValue) {
  check_range("Dropout", "p", 0.5, between(0, 1));
  EXPECT_EQ(message_of<ValueError>([] { check_range("Dropout", "p", 1.0000001, between(0, 1)); }),
            "Dropout: p must be in [0, 1], got 1.0000001");
  EXPECT_EQ(message_of<ValueError>([] { check_range("Adam", "lr", -1e-9, at_least(0)); }),
            "Adam: lr must be finite and at least 0, got -1e-09");
  EXPECT_EQ(message_of<ValueError>([] { check_range("diff", "n", std::int64_t{-1}, at_least(0)); }),
            "diff: n must be at least 0, got -1");
}

}  // namespace
}  // namespace gradus
