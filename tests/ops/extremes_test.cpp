// max, min, argmax, argmin, all, any, prod, cumsum: special values, types, layouts, errors.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

using Doubles = std::vector<double>;
using Longs = std::vector<std::int64_t>;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor mixed(const Shape& sizes, Dtype dtype) {
  Doubles values(static_cast<std::size_t>(sizes.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>((i * 7919 + 13) % 101) - 50;
  return tensor(values, sizes, {.dtype = dtype});
}

TEST(Extremes, ValuesAndFirstPlacesInEveryLayout) {
  for (Dtype dtype : {kFloat32, kFloat64, kInt64, kInt32}) {
    for (const Shape& order : {Shape{0, 1, 2}, Shape{2, 0, 1}, Shape{1, 2, 0}}) {
      const Tensor x = mixed({5, 67, 130}, dtype).permute(order);
      const Doubles all = x.to_vector<double>();
      for (int dim = 0; dim < 3; ++dim) {
        const auto [values, indices] = max(x, dim);
        const auto [lowest, low_indices] = min(x, dim);
        EXPECT_EQ(values.dtype(), dtype);
        EXPECT_TRUE(equal(values, amax(x, dim)));
        EXPECT_TRUE(equal(lowest, amin(x, dim)));
        std::int64_t inner = 1;
        for (int i = dim + 1; i < 3; ++i) inner *= x.sizes()[i];
        const std::int64_t n = x.sizes()[dim];
        const Doubles top = values.to_vector<double>(), bottom = lowest.to_vector<double>();
        const Longs at = indices.to_vector<std::int64_t>(), low_at = low_indices.to_vector<std::int64_t>();
        bool right = true;
        for (std::int64_t i = 0; i < values.numel(); ++i) {
          const std::int64_t base = i / inner * n * inner + i % inner;
          std::int64_t best = 0, worst = 0;
          for (std::int64_t r = 1; r < n; ++r) {
            const auto value = [&](std::int64_t k) { return all[static_cast<std::size_t>(base + k * inner)]; };
            if (value(r) > value(best)) best = r;
            if (value(r) < value(worst)) worst = r;
          }
          const auto k = static_cast<std::size_t>(i);
          right = right && at[k] == best && low_at[k] == worst &&
                  top[k] == all[static_cast<std::size_t>(base + best * inner)] &&
                  bottom[k] == all[static_cast<std::size_t>(base + worst * inner)];
        }
        EXPECT_TRUE(right) << to_string(dtype) << to_string(order) << dim;
      }
    }
  }
}

TEST(Extremes, NanWinsAndTheFirstPlaceCounts) {
  const Tensor x = tensor({1.0, kNan, 3.0, kNan});
  EXPECT_TRUE(std::isnan(max(x).item()));
  EXPECT_TRUE(std::isnan(min(x).item()));
  EXPECT_EQ(argmax(x).item<std::int64_t>(), 1);
  EXPECT_EQ(argmin(x).item<std::int64_t>(), 1);
  EXPECT_EQ(argmax(tensor({2, 7, 7, 2})).item<std::int64_t>(), 1);
  EXPECT_EQ(argmin(tensor({7, 2, 7, 2}), 0, true).sizes(), Shape{1});
  // Wherever the NaN stands in a long row.
  for (std::int64_t place : {0, 63, 64, 100, 2047, 2048, 4999}) {
    Tensor row = zeros({5000});
    row.data_ptr<float>()[place] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(max(row).item())) << place;
    EXPECT_EQ(argmin(row).item<std::int64_t>(), place);
  }
  EXPECT_EQ(max(full({3}, -kInf)).item(), -kInf);
}

TEST(Extremes, Types) {
  EXPECT_EQ(max(tensor({true, false})).dtype(), kBool);
  EXPECT_TRUE(max(tensor({true, false})).item<bool>());
  EXPECT_EQ(min(full({3}, 250, {.dtype = kUInt8})).item<int>(), 250);
  EXPECT_EQ(max(tensor({1.5, -2.0}, {.dtype = kBFloat16})).item(), 1.5);
  EXPECT_EQ(argmax(tensor({{1, 5}, {7, 3}})).item<std::int64_t>(), 2);
  EXPECT_EQ(argmax(tensor({{1, 5}, {7, 3}}), 1).to_vector<std::int64_t>(), (Longs{1, 0}));
  const std::int64_t large = (std::int64_t{1} << 60) + 1;  // not a float64
  EXPECT_EQ(max(tensor({large - 1, large})).item<std::int64_t>(), large);
}

TEST(Extremes, Empty) {
  EXPECT_EQ(amax(zeros({0, 3}), 1).sizes(), Shape{0});
  EXPECT_EQ(max(zeros({0, 3}), 1).second.sizes(), Shape{0});
  EXPECT_THROW(max(zeros({0, 3})), ShapeError);
  EXPECT_THROW(amin(zeros({0, 3}), 0), ShapeError);
  EXPECT_THROW(max(zeros({0, 3}), 0), ShapeError);
  EXPECT_THROW(argmax(zeros({0})), ShapeError);
  EXPECT_EQ(max(tensor(3.0), 0).second.item<std::int64_t>(), 0);
  EXPECT_EQ(argmin(tensor(3.0)).item<std::int64_t>(), 0);
}

TEST(Extremes, EqualValuesShareTheGradient) {
  Tensor x = tensor({{2.0, 5.0, 5.0}, {5.0, 1.0, 0.0}}).requires_grad_();
  max(x).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Tensor(tensor({0.0, 1.0, 1.0, 1.0, 0.0, 0.0}) / 3).to_vector<double>()));
  x.zero_grad();
  amax(x, 1).sum().backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Doubles{0, 0.5, 0.5, 1, 0, 0}));
  x.zero_grad();
  max(x, 1).first.sum().backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Doubles{0, 1, 0, 1, 0, 0}));
  Tensor y = tensor({kNan, 0.0, kNan}).requires_grad_();
  max(y).backward();
  EXPECT_EQ(y.grad().to_vector<double>(), (Doubles{0.5, 0, 0.5}));
}

TEST(AllAny, TypesAndEmpty) {
  EXPECT_TRUE(all(zeros({0})).item<bool>());
  EXPECT_FALSE(any(zeros({0})).item<bool>());
  EXPECT_EQ(all(zeros({2, 0}), 1).to_vector<bool>(), (std::vector<bool>{true, true}));
  EXPECT_EQ(any(full({2}, 256, {.dtype = kInt64})).dtype(), kBool);
  EXPECT_TRUE(any(full({2}, 256, {.dtype = kInt64})).item<bool>());  // not cut to its low byte
  EXPECT_TRUE(all(tensor({0.25, kNan})).item<bool>());
  EXPECT_EQ(all(tensor({{1, 1}, {0, 1}}), 1).to_vector<bool>(), (std::vector<bool>{true, false}));
  EXPECT_EQ(any(tensor({{0, 0}, {0, 1}}), 0, true).sizes(), (Shape{1, 2}));
}

TEST(Prod, ValuesTypesAndZeros) {
  EXPECT_EQ(prod(zeros({0})).item(), 1);
  EXPECT_EQ(prod(tensor({true, true})).dtype(), kInt64);
  EXPECT_EQ(prod(tensor({{1, 2}, {3, 4}}), 0).to_vector<double>(), (Doubles{3, 8}));
  EXPECT_EQ(prod(tensor({{1, 2}, {3, 4}}), -1, true).sizes(), (Shape{2, 1}));
  Tensor x = tensor({{0.0, 2.0, 3.0}, {0.0, 0.0, 4.0}, {1.0, 2.0, 4.0}}).requires_grad_();
  prod(x, 1).sum().backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Doubles{6, 0, 0, 0, 0, 0, 8, 4, 2}));
}

TEST(Cumsum, LayoutsTypesAndGradient) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(cumsum(x, 0).to_vector<double>(), (Doubles{1, 2, 3, 5, 7, 9}));
  EXPECT_EQ(cumsum(x.t(), 0).to_vector<double>(), (Doubles{1, 4, 3, 9, 6, 15}));
  EXPECT_EQ(cumsum(tensor({true, true}), 0).to_vector<std::int64_t>(), (Longs{1, 2}));
  EXPECT_EQ(cumsum(zeros({2, 0}), 1).sizes(), (Shape{2, 0}));
  EXPECT_EQ(cumsum(tensor(3.0), 0).item(), 3);
  EXPECT_THROW(cumsum(x, 2), IndexError);
  Tensor y = ones({3}).requires_grad_();
  cumsum(y, 0).sum().backward();
  EXPECT_EQ(y.grad().to_vector<double>(), (Doubles{3, 2, 1}));
}

}  // namespace
}  // namespace gradus
