// sort, argsort and topk: order of equals, of NaN and of both zeros, gradients, errors.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gradus {
namespace {

using Values = std::vector<double>;
using Places = std::vector<std::int64_t>;

Values values(const Tensor& x) { return x.to_vector<double>(); }
Places places(const Tensor& x) { return x.to_vector<std::int64_t>(); }

TEST(Sort, EqualsKeepTheirOrder) {
  const auto [up, at] = sort(tensor({{3.0, 1.0, 3.0, 2.0}, {0.0, -0.0, -1.0, 0.0}}));
  EXPECT_EQ(values(up), (Values{1, 2, 3, 3, -1, 0, 0, 0}));
  EXPECT_EQ(places(at), (Places{1, 3, 0, 2, 2, 0, 1, 3}));
  EXPECT_TRUE(std::signbit(values(up)[6]));
  EXPECT_EQ(places(argsort(tensor({3.0, 1.0, 3.0, 2.0}), 0, true)), (Places{0, 2, 3, 1}));
}

TEST(Sort, NanIsTheGreatest) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  for (const Dtype dtype : {kFloat32, kFloat64, kBFloat16}) {
    const Tensor x = tensor({1.0, nan, -inf, -nan, inf}, {.dtype = dtype});
    EXPECT_EQ(places(argsort(x)), (Places{2, 0, 4, 1, 3}));
    EXPECT_EQ(places(argsort(x, -1, true)), (Places{1, 3, 4, 0, 2}));
    EXPECT_EQ(places(topk(x, 2).second), (Places{1, 3}));
    EXPECT_EQ(places(topk(x, 2, -1, false).second), (Places{2, 0}));
  }
}

TEST(Sort, EveryTypeAndLength) {
  for (const Dtype dtype : {kBool, kUInt8, kInt32, kInt64, kBFloat16, kFloat32, kFloat64}) {
    for (const std::size_t n : {0u, 1u, 2u, 63u, 511u, 513u, 2000u}) {
      Values numbers(n);
      for (std::size_t i = 0; i < n; ++i) {
        const double hashed = static_cast<double>(i * 2654435761u % 4096) - (dtype == kUInt8 ? 0 : 2048);
        numbers[i] = dtype == kInt64 ? hashed * 1e15 : hashed;
      }
      const Tensor x = tensor(numbers, {.dtype = kFloat64}).to(dtype);
      const Values own = values(x);
      for (const bool descending : {false, true}) {
        Places expected(n);
        std::iota(expected.begin(), expected.end(), 0);
        std::stable_sort(expected.begin(), expected.end(), [&](std::int64_t a, std::int64_t b) {
          const double left = own[static_cast<std::size_t>(a)], right = own[static_cast<std::size_t>(b)];
          return descending ? left > right : left < right;
        });
        EXPECT_EQ(places(argsort(x, -1, descending)), expected) << to_string(dtype) << " " << n;
        for (const std::size_t k : {n / 40, n / 2}) {
          const Places first(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(k));
          EXPECT_EQ(places(topk(x, static_cast<std::int64_t>(k), 0, descending).second), first);
        }
      }
    }
  }
}

TEST(Sort, AnyDimensionAndStrides) {
  const Tensor x = tensor(Values{3, 1, 2, 5, 0, 4, 7, 6}, {2, 2, 2});
  const auto [first, at] = sort(x, 0);
  EXPECT_EQ(values(first), (Values{0, 1, 2, 5, 3, 4, 7, 6}));
  EXPECT_EQ(places(at), (Places{1, 0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(values(sort(x.transpose(0, 2), -1).first), (Values{0, 3, 2, 7, 1, 4, 5, 6}));
  EXPECT_EQ(topk(x, 1, 1).first.sizes(), (Shape{2, 1, 2}));
  EXPECT_EQ(values(topk(x, 1, 1).first), (Values{3, 5, 7, 6}));
  EXPECT_EQ(sort(zeros({2, 0})).first.sizes(), (Shape{2, 0}));
  EXPECT_EQ(topk(zeros({2, 3}), 0).first.sizes(), (Shape{2, 0}));
  EXPECT_EQ(sort(tensor(2.0)).first.item(), 2);
  EXPECT_EQ(topk(tensor(2.0), 1).second.item(), 0);
}

TEST(Sort, GradientsGoWhereTheValuesCameFrom) {
  const Tensor x = tensor({{3.0, 1.0, 2.0}, {4.0, 6.0, 5.0}}).requires_grad_();
  sort(x, 1).first.backward(tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}));
  EXPECT_EQ(values(x.grad()), (Values{3, 1, 2, 4, 6, 5}));
  const Tensor y = tensor({{3.0, 1.0, 2.0}, {4.0, 6.0, 5.0}}).requires_grad_();
  const Tensor w = ones({2, 2}).requires_grad_();
  const Tensor grad = autograd::grad({topk(y, 2).first}, {y}, {w}, {.create_graph = true})[0];
  EXPECT_EQ(values(grad), (Values{1, 0, 1, 0, 1, 1}));
  EXPECT_EQ(values(autograd::grad({grad}, {w}, {y})[0]), (Values{3, 2, 6, 5}));
}

TEST(Sort, Errors) {
  EXPECT_THROW(topk(zeros({3}), 4), ValueError);
  EXPECT_THROW(topk(zeros({3}), -1), ValueError);
  EXPECT_THROW(sort(zeros({3}), 1), IndexError);
  EXPECT_THROW(argsort(zeros({3}), -2), IndexError);
}

}  // namespace
}  // namespace gradus
