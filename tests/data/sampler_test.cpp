#include "gradus/data/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "gradus/core/error.h"

namespace gradus::data {
namespace {

using testing::ElementsAre;
using Indices = std::vector<std::int64_t>;

Indices sorted(Indices x) {
  std::sort(x.begin(), x.end());
  return x;
}

Indices numbers(std::int64_t n) {
  Indices all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

TEST(Samplers, SequentialCounts) {
  EXPECT_EQ(SequentialSampler(4).indices(1, 2), numbers(4));
  EXPECT_EQ(SequentialSampler(0).size(), 0);
  EXPECT_THROW(SequentialSampler(-1), ValueError);
}

TEST(Samplers, RandomIsAPermutationThatSeedAndEpochChange) {
  const RandomSampler sampler(100);
  const Indices order = sampler.indices(1, 0);
  EXPECT_EQ(sorted(order), numbers(100));
  EXPECT_EQ(order, sampler.indices(1, 0));
  EXPECT_NE(order, sampler.indices(1, 1));
  EXPECT_NE(order, sampler.indices(2, 0));
  EXPECT_FALSE(sampler.repeats());
}

TEST(Samplers, RandomDrawsAsManyAsAsked) {
  EXPECT_EQ(RandomSampler(10, {.num_samples = 4}).indices(1, 0).size(), 4u);
  const Indices several = RandomSampler(10, {.num_samples = 25}).indices(1, 0);
  ASSERT_EQ(several.size(), 25u);
  EXPECT_EQ(sorted(Indices(several.begin(), several.begin() + 10)), numbers(10));
  EXPECT_EQ(sorted(Indices(several.begin() + 10, several.begin() + 20)), numbers(10));
  EXPECT_EQ((std::set<std::int64_t>(several.begin() + 20, several.end()).size()), 5u);
  const RandomSampler replacing(10, {.replacement = true, .num_samples = 1000});
  const Indices drawn = replacing.indices(1, 0);
  EXPECT_TRUE(replacing.repeats());
  EXPECT_EQ((std::set<std::int64_t>(drawn.begin(), drawn.end()).size()), 10u);
  EXPECT_TRUE(RandomSampler(0).indices(1, 0).empty());
  EXPECT_THROW(RandomSampler(0, {.num_samples = 1}), ValueError);
  EXPECT_THROW(RandomSampler(-1), ValueError);
}

TEST(Samplers, WeightedDrawsInProportion) {
  const WeightedRandomSampler sampler({1, 0, 3, 0}, 40000);
  std::map<std::int64_t, int> count;
  for (const std::int64_t i : sampler.indices(5, 0)) ++count[i];
  EXPECT_EQ(count.size(), 2u);
  EXPECT_NEAR(count[0], 10000, 400);  // 4.6 standard deviations
  EXPECT_NEAR(count[2], 30000, 400);
}

TEST(Samplers, WeightedWithoutReplacementFavoursTheHeavyFirst) {
  const WeightedRandomSampler sampler({1, 2, 0, 7}, 3, false);
  int heavy_first = 0;
  for (int epoch = 0; epoch < 2000; ++epoch) {
    const Indices order = sampler.indices(5, epoch);
    ASSERT_THAT(sorted(order), ElementsAre(0, 1, 3));
    heavy_first += order[0] == 3;
  }
  EXPECT_NEAR(heavy_first, 1400, 95);  // probability 0.7, 4.6 standard deviations
}

TEST(Samplers, WeightedRefusesImpossibleWeights) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double wrong : {-1.0, nan, inf}) EXPECT_THROW(WeightedRandomSampler({1, wrong}, 1), ValueError);
  EXPECT_THROW(WeightedRandomSampler({0, 0}, 1), ValueError);
  EXPECT_THROW(WeightedRandomSampler({}, 1), ValueError);
  EXPECT_THROW(WeightedRandomSampler({1, 0}, 2, false), ValueError);
  EXPECT_THROW(WeightedRandomSampler({1}, -1), ValueError);
  EXPECT_TRUE(WeightedRandomSampler({}, 0).indices(1, 0).empty());
}

TEST(Samplers, SubsetGivesItsOwn) {
  const SubsetRandomSampler sampler({7, 3, 9});
  EXPECT_THAT(sorted(sampler.indices(1, 0)), ElementsAre(3, 7, 9));
  EXPECT_FALSE(sampler.repeats());
  EXPECT_TRUE(SubsetRandomSampler({3, 3}).repeats());
}

// torch.utils.data.DistributedSampler(range(10), num_replicas=4, rank=r, shuffle=False)
TEST(Samplers, DistributedSharesAsPyTorchDoes) {
  const auto of = [](std::int64_t rank, bool drop_last) {
    return DistributedSampler(10, {.num_replicas = 4, .rank = rank, .shuffle = false, .drop_last = drop_last})
        .indices(0, 0);
  };
  EXPECT_THAT(of(0, false), ElementsAre(0, 4, 8));
  EXPECT_THAT(of(1, false), ElementsAre(1, 5, 9));
  EXPECT_THAT(of(2, false), ElementsAre(2, 6, 0));
  EXPECT_THAT(of(3, false), ElementsAre(3, 7, 1));
  EXPECT_THAT(of(3, true), ElementsAre(3, 7));
  EXPECT_THROW(DistributedSampler(10, {.num_replicas = 2, .rank = 2}), ValueError);
  EXPECT_THROW(DistributedSampler(10, {.num_replicas = 0}), ValueError);
  EXPECT_EQ(DistributedSampler(0, {.num_replicas = 3}).size(), 0);
}

RC_GTEST_PROP(Samplers, DistributedReplicasCoverEverything, ()) {
  const auto n = *rc::gen::inRange<std::int64_t>(0, 60);
  const auto replicas = *rc::gen::inRange<std::int64_t>(1, 9);
  const auto drop_last = *rc::gen::arbitrary<bool>();
  Indices all;
  for (std::int64_t rank = 0; rank < replicas; ++rank) {
    const DistributedSampler sampler(n, {.num_replicas = replicas, .rank = rank, .drop_last = drop_last});
    const Indices own = sampler.indices(3, 1);
    RC_ASSERT(std::ssize(own) == sampler.size());
    all.insert(all.end(), own.begin(), own.end());
  }
  const std::set<std::int64_t> distinct(all.begin(), all.end());
  RC_ASSERT(std::ssize(distinct) == (drop_last ? n / replicas * replicas : n));
}

}  // namespace
}  // namespace gradus::data
