#include "gradus/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "gradus/core/error.h"
#include "gradus/data/random.h"
#include "gradus/data/sampler.h"
#include "gradus/ops.h"
#include "support/message.h"

namespace gradus::data {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

FunctionDataset counting(std::int64_t n) {
  return {n, [](std::int64_t i) { return Sample(tensor(static_cast<double>(i)), i); }};
}

TEST(Datasets, SubsetsTakeListsVectorsAndTensors) {
  const FunctionDataset all = counting(10);
  EXPECT_THAT(Subset(all, {4}).indices(), ElementsAre(4));
  EXPECT_THAT(Subset(all, {4, 2}).indices(), ElementsAre(4, 2));
  EXPECT_THAT(Subset(all, std::vector<std::int64_t>{1, 1}).indices(), ElementsAre(1, 1));
  EXPECT_THAT(Subset(all, tensor({3, 0})).indices(), ElementsAre(3, 0));
  EXPECT_THAT(Subset(all, tensor({3, 0, 7})[{Slice{1}}].to(kInt32)).indices(), ElementsAre(0, 7));
  EXPECT_EQ(SubsetRandomSampler(randperm(4)).size(), 4);
  EXPECT_EQ(WeightedRandomSampler(tensor({0.0, 1.0}), 3).indices(0, 0), (std::vector<std::int64_t>{1, 1, 1}));
  EXPECT_THROW(Subset(all, tensor({3, 10})), IndexError);
  EXPECT_THROW(Subset(all, tensor({1.0})), DtypeError);
  EXPECT_THROW(Subset(all, tensor({true})), DtypeError);
  EXPECT_THROW(Subset(all, tensor(3)), ShapeError);
}

TEST(Datasets, AFunctionOrASubclassWillDo) {
  struct Squares final : Dataset {
    std::int64_t size() const override { return 5; }
    Sample get(std::int64_t i) const override { return {tensor(i * i)}; }
  };
  const AnyDataset squares = Squares();
  EXPECT_EQ(squares->get(3).data.item<int>(), 9);
  EXPECT_FALSE(squares->get(3).target.defined());
  EXPECT_EQ(squares->name(3), "sample 3");
  EXPECT_EQ(squares->identity(), "");
  EXPECT_EQ(counting(5).get(4).target.item<int>(), 4);
  EXPECT_THROW(counting(5).get(5), IndexError);
  EXPECT_THROW(counting(5).get(-1), IndexError);
  EXPECT_THROW(counting(-1), ValueError);
  EXPECT_THROW(FunctionDataset(1, nullptr), ValueError);
  EXPECT_THROW(AnyDataset(std::shared_ptr<Dataset>()), ValueError);
}

TEST(Datasets, TensorsGiveTheirRows) {
  const TensorDataset dataset(tensor({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}).view({3, 2}), tensor({7, 8, 9}));
  EXPECT_EQ(dataset.size(), 3);
  EXPECT_THAT(dataset.get(1).data.to_vector<int>(), ElementsAre(3, 4));
  EXPECT_EQ(dataset.get(1).target.item<int>(), 8);
  const std::int64_t wanted[] = {2, 0};
  const Batch batch = dataset.get_batch(wanted);
  EXPECT_THAT(batch.data.to_vector<int>(), ElementsAre(5, 6, 1, 2));
  EXPECT_THAT(batch.target.to_vector<int>(), ElementsAre(9, 7));
  EXPECT_THROW(dataset.get(3), IndexError);
  EXPECT_THAT(message_of<ShapeError>([] { TensorDataset(zeros({3, 2}), zeros({4})); }), HasSubstr("[3, 2] and [4]"));
  EXPECT_THROW(TensorDataset(tensor(1.0)), ShapeError);
}

TEST(Datasets, IdentityFollowsEveryElement) {
  const Tensor x = rand({50, 3}), y = randint(0, 5, {50});
  const std::string before = TensorDataset(x, y).identity();
  EXPECT_EQ(TensorDataset(x.clone(), y.clone()).identity(), before);
  EXPECT_NE(TensorDataset(x, Tensor()).identity(), before);
  EXPECT_NE(TensorDataset(x.view({50, 3, 1}), y).identity(), before);
  for (std::int64_t row = 0; row < 50; row += 7) {
    Tensor changed = x.clone();
    changed[{row, 2}] += 1e-3;
    EXPECT_NE(TensorDataset(changed, y).identity(), before) << row;
  }
  EXPECT_NE(Subset(TensorDataset(x, y), {1, 2}).identity(), Subset(TensorDataset(x, y), {2, 1}).identity());
  EXPECT_EQ(Subset(counting(4), {1}).identity(), "");
}

TEST(Datasets, SubsetsPassThrough) {
  const Subset subset(counting(10), {7, 2, 7});
  EXPECT_EQ(subset.size(), 3);
  EXPECT_EQ(subset.get(1).target.item<int>(), 2);
  EXPECT_EQ(subset.name(2), "sample 7");
  EXPECT_THROW(subset.get(3), IndexError);
  EXPECT_THROW(Subset(counting(10), {10}), IndexError);
}

TEST(Datasets, RandomSplitIsAPartition) {
  Generator generator(1);
  const auto parts = random_split(counting(10), std::vector<std::int64_t>{7, 0, 3}, &generator);
  std::vector<std::int64_t> all;
  for (const Subset& part : parts) all.insert(all.end(), part.indices().begin(), part.indices().end());
  EXPECT_THAT(all, UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(parts[1].size(), 0);
  EXPECT_THROW(random_split(counting(10), std::vector<std::int64_t>{7, 4}), ValueError);
  EXPECT_EQ(random_split(counting(10), {7, 3})[0].size(), 7);
  EXPECT_EQ(random_split(counting(10), {0.5, 0.5})[0].size(), 5);
  EXPECT_THROW(random_split(counting(10), std::vector<std::int64_t>{7}), ValueError);
  EXPECT_THROW(random_split(counting(10), std::vector<std::int64_t>{-1, 11}), ValueError);
}

// torch.utils.data.random_split(range(11), [0.3, 0.3, 0.4]) gives 4, 3 and 4.
TEST(Datasets, FractionsAreRoundedAsInPyTorch) {
  const auto parts = random_split(counting(11), std::vector<double>{0.3, 0.3, 0.4});
  EXPECT_EQ(parts[0].size(), 4);
  EXPECT_EQ(parts[1].size(), 3);
  EXPECT_EQ(parts[2].size(), 4);
  EXPECT_THROW(random_split(counting(11), std::vector<double>{0.3, 0.3}), ValueError);
  EXPECT_THROW(random_split(counting(11), std::vector<double>{-0.5, 1.5}), ValueError);
}

TEST(Datasets, ConcatenationCountsOn) {
  const ConcatDataset both({counting(3), counting(0), counting(2)});
  EXPECT_EQ(both.size(), 5);
  EXPECT_EQ(both.get(2).target.item<int>(), 2);
  EXPECT_EQ(both.get(3).target.item<int>(), 0);
  EXPECT_EQ(both.name(4), "sample 1");
  EXPECT_TRUE(both.is_random());
  EXPECT_THROW(both.get(5), IndexError);
  EXPECT_THROW(ConcatDataset({}), ValueError);
}

TEST(SampleGenerator, StartsAnewForEachSample) {
  const auto draw = [](std::uint64_t seed, std::int64_t epoch, std::int64_t index, std::int64_t repeat = 0) {
    const SampleScope scope(seed, epoch, index, repeat);
    return random_integer(0, std::int64_t{1} << 60);
  };
  EXPECT_EQ(draw(1, 2, 3), draw(1, 2, 3));
  const std::vector<std::int64_t> others{draw(1, 2, 3), draw(0, 2, 3), draw(1, 3, 3),
                                         draw(1, 2, 4), draw(1, 3, 2), draw(1, 2, 3, 1)};
  for (std::size_t i = 0; i < others.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(others[i], others[j]);
  EXPECT_EQ(&sample_generator(), &default_generator());
}

TEST(SampleGenerator, StaysInItsRange) {
  const SampleScope scope(1, 0, 0);
  bool seen[3] = {};
  for (int i = 0; i < 200; ++i) {
    const double x = random_uniform(2, 3);
    EXPECT_TRUE(x >= 2 && x < 3);
    const std::int64_t n = random_integer(5, 8);
    ASSERT_TRUE(n >= 5 && n < 8);
    seen[n - 5] = true;
  }
  EXPECT_TRUE(seen[0] && seen[1] && seen[2]);
  EXPECT_EQ(random_uniform(2, 2), 2);
  EXPECT_EQ(random_integer(4, 4), 4);
}

}  // namespace
}  // namespace gradus::data
