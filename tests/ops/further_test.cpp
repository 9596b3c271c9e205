// What the table of operations cannot say of gradus/ops/further.h, and metrics.
#include <gradus/gradus.h>
#include <gradus/metrics.h>
#include <gradus/ops/further.h>

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(FurtherOps, UniqueGivesValuesPlacesAndCounts) {
  const Tensor x = tensor({{3, 1}, {2, 3}});
  const Unique u = unique(x);
  EXPECT_THAT(u.values.to_vector<int>(), ElementsAre(1, 2, 3));
  EXPECT_THAT(u.inverse.to_vector<int>(), ElementsAre(2, 0, 1, 2));
  EXPECT_EQ(u.inverse.sizes(), x.sizes());
  EXPECT_THAT(u.counts.to_vector<int>(), ElementsAre(1, 1, 2));
  EXPECT_EQ(unique(zeros({0})).values.numel(), 0);
  EXPECT_EQ(unique(tensor(5)).counts.item<int>(), 1);
}

TEST(FurtherOps, MultinomialDrawsByWeight) {
  manual_seed(1);
  const Tensor weights = tensor({0.0, 1.0, 3.0});
  const Tensor drawn = multinomial(weights, 40000, true);
  const double share = (drawn == 2).to(kFloat64).mean().item();
  EXPECT_NEAR(share, 0.75, 0.01);
  EXPECT_FALSE((drawn == 0).any().item<bool>());
  // Without replacement each comes once, and the first one by weight.
  std::int64_t first = 0;
  for (int i = 0; i < 4000; ++i) {
    const auto two = multinomial(weights, 2).to_vector<std::int64_t>();
    EXPECT_THAT(two, testing::UnorderedElementsAre(1, 2));
    first += two[0] == 2;
  }
  EXPECT_NEAR(static_cast<double>(first) / 4000, 0.75, 0.03);
  EXPECT_EQ(multinomial(ones({5, 3}), 2).sizes(), (Shape{5, 2}));
  Generator a(3), b(3);
  EXPECT_TRUE(equal(multinomial(weights, 9, true, &a), multinomial(weights, 9, true, &b)));
  EXPECT_THAT(message_of([&] { multinomial(weights, 3); }), HasSubstr("needs 3 weights above 0"));
  EXPECT_THAT(message_of([&] { multinomial(weights, 4); }), HasSubstr("at most 3, got 4"));
  EXPECT_THAT(message_of([&] { multinomial(-weights, 1); }), HasSubstr("not negative"));
  EXPECT_THAT(message_of([&] { multinomial(zeros({3}), 1); }), HasSubstr("one above 0"));
}

TEST(FurtherOps, Atan2HasNoGradientAtTheOrigin) {
  const Tensor y = tensor({0.0, 1.0}, {.dtype = kFloat64, .requires_grad = true});
  const Tensor x = tensor({0.0, 2.0}, {.dtype = kFloat64, .requires_grad = true});
  atan2(y, x).sum().backward();
  EXPECT_TRUE(allclose(y.grad(), tensor({0.0, 0.4}, {.dtype = kFloat64})));
  EXPECT_TRUE(allclose(x.grad(), tensor({0.0, -0.2}, {.dtype = kFloat64})));
}

TEST(FurtherOps, OddInputs) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(median(tensor({1.0, nan, 3.0})).item()));
  EXPECT_EQ(median(tensor({1.0, 4.0, 3.0, 2.0})).item(), 2);
  EXPECT_TRUE(std::isnan(median(zeros({0})).item()));
  const auto shares = [](const Tensor& x, Tensor (*f)(const Tensor&)) {
    x.requires_grad_();
    f(x).backward();
    return x.grad().to_vector<double>();
  };
  Tensor (*middle)(const Tensor&) = median;
  Tensor (*known)(const Tensor&) = nanmedian;
  EXPECT_THAT(shares(tensor({1.0, 2.0, 2.0, 3.0}), middle), ElementsAre(0, 0.5, 0.5, 0));
  EXPECT_THAT(shares(tensor({{2.0, 2.0}, {2.0, 2.0}}), middle), ElementsAre(0.25, 0.25, 0.25, 0.25));
  EXPECT_THAT(shares(tensor({nan, 1.0, nan}), middle), ElementsAre(0.5, 0, 0.5));
  EXPECT_THAT(shares(tensor({1.0, 2.0, 2.0, nan}), known), ElementsAre(0, 0.5, 0.5, 0));
  const auto [values, indices] = median(tensor({{5.0, 1.0, 3.0}}), 1, true);
  EXPECT_EQ(values.sizes(), (Shape{1, 1}));
  EXPECT_EQ(indices.item<int>(), 2);
  EXPECT_THAT(repeat_interleave(tensor({7, 8}), tensor({2, 1})).to_vector<int>(), ElementsAre(7, 7, 8));
  EXPECT_THAT(message_of([&] { repeat_interleave(tensor({7, 8}), -1); }), HasSubstr("not be negative"));
  EXPECT_THAT(message_of([&] { repeat_interleave(tensor({7, 8}), tensor({1, 2, 3})); }), HasSubstr("2 slices"));
  EXPECT_EQ(meshgrid({arange(2), arange(3)}, "xy")[0].sizes(), (Shape{3, 2}));
  EXPECT_THAT(message_of([&] { meshgrid({arange(2)}, "yx"); }), HasSubstr("got 'yx'"));
  EXPECT_THAT(message_of([&] { prelu(ones({2, 3}), ones({2})); }), HasSubstr("3 channels, got [2]"));
  EXPECT_THAT(message_of([&] { cdist(ones({2, 3}), ones({2, 4})); }), HasSubstr("rows of equal length"));
  EXPECT_THAT(cumprod(tensor({2, 3, 4}), 0).to_vector<int>(), ElementsAre(2, 6, 24));
  // Where two rows are equal, the distance has no slope.
  const Tensor x = ones({2, 3}).requires_grad_();
  cdist(x, x).sum().backward();
  EXPECT_TRUE(equal(x.grad(), zeros({2, 3})));
  // An infinity that passes has no part in the weight's gradient.
  const Tensor slope = tensor({0.5}).requires_grad_();
  prelu(tensor({std::numeric_limits<double>::infinity(), -3.0}).to(slope.dtype()), slope).sum().backward();
  EXPECT_EQ(slope.grad().item(), -3);
}

TEST(FurtherOps, BorrowedMemoryHasStrides) {
  std::vector<std::int32_t> numbers{1, 2, 3, 4, 5, 6, 7, 8, 9};
  bool released = false;
  {
    const Tensor columns = from_blob(numbers.data(), {3, 3}, {1, 3}, kInt32, [&](void*) { released = true; });
    EXPECT_TRUE(equal(columns, t(tensor(numbers, {3, 3}, {.dtype = kInt32}))));
    EXPECT_EQ(columns.strides(), (Shape{1, 3}));
    EXPECT_FALSE(columns.is_contiguous());
    columns.fill_(0);
    EXPECT_FALSE(released);
  }
  EXPECT_TRUE(released);
  EXPECT_EQ(numbers, std::vector<std::int32_t>(9));
  numbers[4] = 7;
  const Tensor padded = from_blob(numbers.data(), {2, 2}, {3, 1}, kInt32);
  EXPECT_EQ(padded.sum().item<int>(), 7);
  EXPECT_EQ(from_blob(numbers.data(), {4}, {0}, kInt32).sizes(), Shape{4});
  EXPECT_EQ(from_blob(nullptr, {0, 3}, {3, 1}, kInt32).numel(), 0);
  EXPECT_THROW(from_blob(numbers.data(), {3, 3}, {3}, kInt32), ShapeError);
  EXPECT_THROW(from_blob(numbers.data(), {3}, {-1}, kInt32), ValueError);
  EXPECT_THROW(from_blob(numbers.data(), {3, 3}, {std::int64_t{1} << 62, std::int64_t{1} << 62}, kInt32), ValueError);
  EXPECT_THROW(from_blob(nullptr, {3}, {1}, kInt32), ValueError);
}

TEST(Metrics, OfClasses) {
  const Tensor predicted = tensor({0, 1, 1, 2, 0, 1}), target = tensor({0, 1, 0, 2, 0, 2});
  const Tensor confusion = metrics::confusion_matrix(predicted, target, 3);
  EXPECT_THAT(confusion.to_vector<int>(), ElementsAre(2, 1, 0, 0, 1, 0, 0, 1, 1));
  EXPECT_THAT(metrics::precision(confusion), ElementsAre(1, testing::DoubleEq(1.0 / 3), 1));
  EXPECT_THAT(metrics::recall(confusion), ElementsAre(testing::DoubleEq(2.0 / 3), 1, 0.5));
  EXPECT_THAT(metrics::f1(confusion), ElementsAre(testing::DoubleEq(0.8), 0.5, testing::DoubleEq(2.0 / 3)));
  using metrics::Average;
  EXPECT_NEAR(metrics::f1_score(predicted, target, 3), (0.8 + 0.5 + 2.0 / 3) / 3, 1e-12);
  EXPECT_NEAR(metrics::f1_score(predicted, target, 3, Average::micro), 4.0 / 6, 1e-12);
  EXPECT_NEAR(metrics::f1_score(predicted, target, 3, Average::weighted), (3 * 0.8 + 0.5 + 2 * 2.0 / 3) / 6, 1e-12);
  EXPECT_NEAR(metrics::accuracy(predicted, target), 4.0 / 6, 1e-12);
  EXPECT_EQ(metrics::f1_score(zeros({0}, {.dtype = kInt64}), zeros({0}, {.dtype = kInt64}), 2), 0);
  EXPECT_THAT(message_of([&] { metrics::confusion_matrix(predicted, target, 2); }), HasSubstr("0 to 1, got 2"));
}

TEST(Metrics, TheAreaUnderTheCurveCountsPairs) {
  EXPECT_EQ(metrics::auroc(tensor({0.1, 0.4, 0.35, 0.8}), tensor({0, 0, 1, 1})), 0.75);
  EXPECT_EQ(metrics::auroc(tensor({0.5, 0.5, 0.5}), tensor({0, 1, 1})), 0.5);
  manual_seed(2);
  const Tensor scores = round(randn({60}) * 4), target = (rand({60}) > 0.4).to(kInt64);
  const auto s = scores.to_vector<double>(), t = target.to_vector<double>();
  double wins = 0, pairs = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    for (std::size_t j = 0; j < s.size(); ++j) {
      if (t[i] != 1 || t[j] != 0) continue;
      ++pairs;
      wins += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0;
    }
  }
  EXPECT_NEAR(metrics::auroc(scores, target), wins / pairs, 1e-12);
  EXPECT_THAT(message_of([&] { metrics::auroc(tensor({0.1}), tensor({1})); }), HasSubstr("got one kind"));
  EXPECT_THAT(message_of([&] { metrics::auroc(tensor({0.1}), tensor({2})); }), HasSubstr("0 or 1"));
}

TEST(Metrics, ErrorRatesHaveWilsonsInterval) {
  const auto rate = metrics::error_rate(8, 100);
  EXPECT_EQ(rate.rate, 0.08);
  EXPECT_NEAR(rate.low, 0.0411, 1e-4);  // Wilson (1927): 0.0411 to 0.1500
  EXPECT_NEAR(rate.high, 0.1500, 1e-4);
  EXPECT_EQ(metrics::error_rate(0, 50).low, 0);
  EXPECT_NEAR(metrics::error_rate(0, 50).high, 0.0713, 1e-4);
  EXPECT_EQ(metrics::error_rate(50, 50).high, 1);
  EXPECT_EQ(metrics::error_rate(0, 0).high, 1);
  const Tensor sent = tensor({{0, 1, 1}, {1, 0, 0}, {1, 1, 1}}),
               received = tensor({{0.1, 0.9, 0.2}, {0.8, 0.3, 0.1}, {0.9, 0.2, 0.1}});
  const auto bits = metrics::bit_error_rate(received, sent), blocks = metrics::block_error_rate(received, sent);
  EXPECT_EQ(bits.errors, 3);
  EXPECT_EQ(bits.trials, 9);
  EXPECT_EQ(blocks.errors, 2);
  EXPECT_EQ(blocks.trials, 3);
  EXPECT_THAT(message_of([&] { metrics::error_rate(3, 2); }), HasSubstr("got 3 of 2"));
  EXPECT_THAT(message_of([&] { metrics::error_rate(1, 2, 1); }), HasSubstr("confidence must be in (0, 1)"));
}

}  // namespace
}  // namespace gradus
