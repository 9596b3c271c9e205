// Sizes, bounds and steps at the ends of what 64 bits hold.
#include <gradus/ops.h>
#include <gradus/ops/resampling.h>

#include <gtest/gtest.h>

#include <limits>

namespace gradus {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

TEST(Sizes, ARangeOfIntegersIsCountedInIntegers) {
  const std::int64_t b = std::int64_t{1} << 60;
  const auto holds = [](const Tensor& x, const std::vector<std::int64_t>& wanted) {
    EXPECT_EQ(x.to_vector<std::int64_t>(), wanted);
  };
  holds(arange(b, b + 3), {b, b + 1, b + 2});
  holds(arange(b, b + 500, 200), {b, b + 200, b + 400});
  holds(arange(b + 2, b - 1, -1), {b + 2, b + 1, b});
  holds(arange(0, 5, kMost), {0});
  holds(arange(kLeast, kMost, kMost), {kLeast, -1, kMost - 1});
  holds(arange(5, 0, kLeast), {5});
  holds(arange(kMost - 2, kMost), {kMost - 2, kMost - 1});
  holds(arange(kLeast + 1, kLeast, -1), {kLeast + 1});
  holds(arange(3, 3), {});
  EXPECT_THROW(arange(kLeast, kMost), ShapeError);
}

TEST(Sizes, RangesBeyondTheirTypeAreRefused) {
  EXPECT_THROW(arange(0.0, 1e30, 1e29, {.dtype = kInt64}), ValueError);
  EXPECT_THROW(linspace(0, 1000, 3, {.dtype = kInt8}), ValueError);
  EXPECT_THROW(linspace(-1, 1, 3, {.dtype = kUInt8}), ValueError);
  EXPECT_EQ(linspace(0, 100, 3, {.dtype = kInt8}).to_vector<int>(), (std::vector<int>{0, 50, 100}));
  EXPECT_EQ(arange(0, 300, 100, {.dtype = kInt8}).to_vector<int>(), (std::vector<int>{0, 100, -56}));  // as PyTorch
}

TEST(Sizes, AStepBeyondTheEndLeavesTheFirst) {
  const Tensor x = arange(24).reshape({2, 3, 4});
  for (const std::int64_t step : {kMost, kMost - 1, kMost / 2, std::int64_t{2}}) {
    const Tensor y = slice(x, 0, 0, 2, step), z = x[{Slice{}, Slice{1, 3, step}}];
    EXPECT_EQ(y.sizes(), (Shape{1, 3, 4})) << step;
    EXPECT_TRUE(equal(y, narrow(x, 0, 0, 1))) << step;
    EXPECT_EQ(z.sizes(), (Shape{2, 1, 4})) << step;
    EXPECT_TRUE(equal(z, narrow(x, 1, 1, 1))) << step;
  }
}

TEST(Sizes, BeyondWhatCanBeAddressedAreRefused) {
  const Tensor one = zeros({1});
  EXPECT_THROW(one.expand({kMost}), ShapeError);
  EXPECT_THROW(one.expand({kMost, 2}), ShapeError);
  EXPECT_THROW(zeros({std::int64_t{1} << 32, std::int64_t{1} << 32}), ShapeError);
  EXPECT_THROW(zeros({0}).view({std::int64_t{1} << 32, std::int64_t{1} << 32}), ShapeError);
  EXPECT_THROW(unflatten(zeros({0}), 0, {std::int64_t{1} << 32, std::int64_t{1} << 32}), ShapeError);
  EXPECT_THROW(repeat(one, {kMost}), ShapeError);
  EXPECT_THROW(linspace(0, 1, kMost), ShapeError);
  EXPECT_THROW(one_hot(tensor({0}), kMost), ShapeError);
  EXPECT_THROW(pad(one, {kMost, kMost}), ShapeError);
  // Views are small; what they broadcast to is not.
  const Tensor long_one = one.expand({std::int64_t{1} << 31});
  EXPECT_THROW(long_one.unsqueeze(1) + long_one, ShapeError);
  EXPECT_EQ(chunk(zeros({3}), kMost).size(), 3u);
}

}  // namespace
}  // namespace gradus
