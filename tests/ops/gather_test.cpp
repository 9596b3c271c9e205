// Joining, rearranging and picking: cat, flip, roll, repeat, tril, gather, scatter, index_select, embedding, masks.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <cmath>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

Tensor count(const Shape& sizes, double start = 0) {
  std::vector<double> v(static_cast<std::size_t>(sizes.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = start + static_cast<double>(i);
  return tensor(v, sizes, {.dtype = kFloat64});
}

std::vector<double> values(const Tensor& x) { return x.to_vector<double>(); }
using Values = std::vector<double>;

// A linear operation f: its gradient weighted with w must give <w, f(dx)> = <grad, dx>, and be linear in w likewise.
void check_linear(const std::function<Tensor(const Tensor&)>& f, const Shape& sizes) {
  const Tensor x = count(sizes, 1).requires_grad_();
  const Tensor y = f(x);
  const Tensor w = sin(count(y.sizes(), 1)).detach().requires_grad_();
  const Tensor grad = autograd::grad({y}, {x}, {w}, {.create_graph = true})[0];
  const Tensor origin = f(zeros(sizes, {.dtype = kFloat64}));
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    Tensor dx = zeros(sizes, {.dtype = kFloat64});
    dx.data_ptr<double>()[i] = 1;
    EXPECT_NEAR(sum(w * (f(dx) - origin)).item(), values(grad)[static_cast<std::size_t>(i)], 1e-12) << i;
  }
  const Tensor v = cos(count(sizes));
  const Values second = values(autograd::grad({grad}, {w}, {v})[0]), expected = values(f(v) - origin);
  ASSERT_EQ(second.size(), expected.size());
  for (std::size_t i = 0; i < second.size(); ++i) EXPECT_NEAR(second[i], expected[i], 1e-12) << i;
}

TEST(Cat, PromotesAndSkipsNothing) {
  const Tensor y = cat({tensor({1, 2}), tensor({true}), tensor({0.5})});
  EXPECT_EQ(y.dtype(), kFloat32);
  EXPECT_EQ(values(y), (Values{1, 2, 1, 0.5}));
  const Tensor z = cat({zeros({0}, {.dtype = kFloat64}), ones({2, 3})}, 1);
  EXPECT_EQ(z.dtype(), kFloat64);
  EXPECT_EQ(z.sizes(), (Shape{2, 3}));
  EXPECT_EQ(cat({zeros({0}), zeros({0})}).sizes(), (Shape{0}));
  EXPECT_EQ(values(cat({count({2, 2}), count({2, 1}, 9).t().expand({2, 2}).t().t()}, -1)),
            (Values{0, 1, 9, 10, 2, 3, 9, 10}));
}

TEST(Cat, Errors) {
  EXPECT_THROW(cat(std::vector<Tensor>{}), ValueError);
  EXPECT_THROW(cat({tensor(1.0), tensor({1.0})}), ShapeError);
  EXPECT_THROW(cat({zeros({2, 3}), zeros({2})}), ShapeError);
  EXPECT_EQ(message_of([] {
              cat({zeros({2, 3}), zeros({3, 3})}, 1);
            }),
            "cat: sizes must be the same but for dimension 1, got [2, 3] and [3, 3] at position 1");
  EXPECT_THROW(stack({zeros({2}), zeros({1})}), ShapeError);
  EXPECT_THROW(stack({zeros({2})}, 2), IndexError);
}

TEST(Cat, Gradients) {
  const Tensor a = count({2, 2}).requires_grad_(), b = ones({2, 1}).requires_grad_(),
               none = zeros({0}).requires_grad_();
  cat({a, none, b, a}, 1).backward(count({2, 5}));
  EXPECT_EQ(values(a.grad()), (Values{3, 5, 13, 15}));
  EXPECT_EQ(values(b.grad()), (Values{2, 7}));
  EXPECT_EQ(b.grad().dtype(), kFloat32);
  EXPECT_EQ(none.grad().numel(), 0);
  check_linear([](const Tensor& x) { return stack({x, x, slice(x, 0, 0, 2)}, 1); }, {2, 2});
  EXPECT_EQ(stack({tensor(1), tensor(0.5)}).sizes(), (Shape{2}));
}

TEST(Rearrange, FlipRollRepeat) {
  EXPECT_EQ(values(flip(count({2, 3}), {1})), (Values{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(values(flip(count({3, 2}).t(), {0, 1})), (Values{5, 3, 1, 4, 2, 0}));
  EXPECT_EQ(values(flip(count({2}), Dims{})), (Values{0, 1}));
  EXPECT_THROW(flip(count({2}), {0, 0}), ValueError);
  EXPECT_EQ(values(roll(count({2, 3}), {1, 2}, {0, 1})), (Values{4, 5, 3, 1, 2, 0}));
  EXPECT_EQ(values(roll(count({2, 3}), -2)), (Values{2, 3, 4, 5, 0, 1}));
  EXPECT_THROW(roll(count({2, 3}), {1, 2}), ShapeError);
  EXPECT_EQ(values(repeat(count({2, 1}), {2, 1, 3})), (Values{0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(repeat(count({3}), {2, 0}).sizes(), (Shape{2, 0}));
  EXPECT_THROW(repeat(count({1, 3}), {2}), ShapeError);
  const Tensor x = count({3});
  EXPECT_NE(repeat(x, {1}).data_ptr(), x.data_ptr());
  EXPECT_NE(roll(x, 3).data_ptr(), x.data_ptr());
  check_linear([](const Tensor& t) { return flip(t, {0, 2}); }, {2, 2, 3});
  check_linear([](const Tensor& t) { return roll(t, {1, -1}, {0, 1}); }, {2, 3});
  check_linear([](const Tensor& t) { return repeat(t, {2, 2, 3}); }, {2, 3});
}

TEST(Rearrange, Triangles) {
  EXPECT_EQ(values(tril(count({2, 3}, 1))), (Values{1, 0, 0, 4, 5, 0}));
  EXPECT_EQ(values(tril(count({2, 3}, 1), 1)), (Values{1, 2, 0, 4, 5, 6}));
  EXPECT_EQ(values(tril(count({3, 2}, 1), -1)), (Values{0, 0, 3, 0, 5, 6}));
  EXPECT_EQ(values(triu(count({3, 2}, 1), -1)), (Values{1, 2, 3, 4, 0, 6}));
  EXPECT_EQ(values(triu(count({3, 2}, 1).t())), (Values{1, 3, 5, 0, 4, 6}));
  EXPECT_EQ(values(triu(count({2, 2}, 1), std::numeric_limits<std::int64_t>::max())), (Values{0, 0, 0, 0}));
  EXPECT_EQ(values(tril(count({2, 2, 2}, 1), -1)), (Values{0, 0, 3, 0, 0, 0, 7, 0}));
  EXPECT_EQ(tril(zeros({0, 3})).sizes(), (Shape{0, 3}));
  EXPECT_THROW(tril(count({3})), ShapeError);
  check_linear([](const Tensor& t) { return triu(t, 1); }, {2, 3, 3});
}

TEST(Gather, FollowsTheIndex) {
  const Tensor at = tensor<std::int64_t>({{2, 0}, {1, 1}});
  EXPECT_EQ(values(gather(count({2, 3}), 1, at)), (Values{2, 0, 4, 4}));
  EXPECT_EQ(values(gather(count({3, 2}).t(), 1, at)), (Values{4, 0, 3, 3}));
  EXPECT_EQ(values(gather(count({3, 3}), 0, at.to(kInt32))), (Values{6, 1, 3, 4}));
  EXPECT_EQ(gather(count({2, 3}), 1, zeros({0}, {.dtype = kInt64})).sizes(), (Shape{0}));
  EXPECT_EQ(gather(tensor(3.0), 0, tensor({0, 0})).sizes(), (Shape{2}));
  EXPECT_EQ(gather(count({3}), 0, tensor(1)).sizes(), (Shape{}));
  EXPECT_THROW(gather(count({2, 3}), 1, zeros({3, 1}, {.dtype = kInt64})), ShapeError);
  EXPECT_THROW(gather(count({2, 3}), 1, zeros({2, 1})), DtypeError);
  EXPECT_EQ(message_of([&] {
              gather(count({2, 2}), 1, at);
            }),
            "gather: index must be in [0, 2), got 2 at position [0, 0]");
  EXPECT_THROW(gather(count({2, 2}), 1, tensor<std::int64_t>({{0, -1}})), IndexError);
  check_linear([&](const Tensor& x) { return gather(x, 1, at); }, {2, 3});
  check_linear([&](const Tensor& x) { return gather(x, -2, at); }, {3, 4});
}

TEST(Scatter, WritesAndAdds) {
  const Tensor at = tensor<std::int64_t>({{2, 0}});
  EXPECT_EQ(values(scatter(count({2, 3}), 1, at, count({2, 2}, 10))), (Values{11, 1, 10, 3, 4, 5}));
  EXPECT_EQ(values(scatter_add(count({2, 3}), 1, zeros({2, 2}, {.dtype = kInt64}), ones({2, 2}, {.dtype = kFloat64}))),
            (Values{2, 1, 2, 5, 4, 5}));
  EXPECT_EQ(scatter_add(tensor(1.0), 0, tensor({0, 0}), ones({2})).item(), 3);
  EXPECT_EQ(values(scatter_add(tensor({false, false}), 0, tensor({1}), tensor({true}))), (Values{0, 1}));
  EXPECT_THROW(scatter(count({2, 3}), 1, at, ones({2, 2})), DtypeError);
  EXPECT_THROW(scatter(count({2, 3}), 1, at, count({2, 1})), ShapeError);
  EXPECT_THROW(scatter_add(count({2, 2}), 1, at, count({2, 2})), IndexError);
  EXPECT_EQ(values(scatter(count({2}), 0, zeros({0}, {.dtype = kInt64}), count({0}))), (Values{0, 1}));
  // bfloat16 sums in float32: 256 + 1 is not a bfloat16, 256 + 1 + 1 is.
  const Tensor big = full({1}, 256.0, {.dtype = kBFloat16}), one = ones({2}, {.dtype = kBFloat16});
  EXPECT_EQ(scatter_add(big, 0, tensor({0, 0}), one).item(), 258);
}

TEST(Scatter, Gradients) {
  const Tensor at = tensor<std::int64_t>({{2, 0}, {1, 0}});
  const Tensor other = count({2, 4}, 5);
  check_linear([&](const Tensor& x) { return scatter(x, 1, at, slice(other, 1, 0, 3)); }, {2, 3});
  check_linear([&](const Tensor& x) { return scatter(other, 1, at, x); }, {3, 2});
  check_linear([&](const Tensor& x) { return scatter_add(x, 1, at, other); }, {3, 3});
  check_linear(
      [&](const Tensor& x) {
        return scatter_add(other, 0, tensor<std::int64_t>({{1, 0}, {1, 0}}), x);
      },
      {2, 3});
}

TEST(IndexSelect, PicksAndAdds) {
  const Tensor at = tensor({2, 0, 2});
  EXPECT_EQ(values(index_select(count({2, 3}), 1, at)), (Values{2, 0, 2, 5, 3, 5}));
  EXPECT_EQ(values(index_select(count({3, 2}).t(), -1, at)), (Values{4, 0, 4, 5, 1, 5}));
  EXPECT_EQ(index_select(count({2, 3}), 1, tensor(1)).sizes(), (Shape{2, 1}));
  EXPECT_EQ(index_select(tensor(2.0), 0, tensor({0})).sizes(), (Shape{}));
  EXPECT_THROW(index_select(count({2, 3}), 0, at), IndexError);
  EXPECT_THROW(index_select(count({2, 3}), 1, tensor({-1})), IndexError);
  EXPECT_THROW(index_select(count({2, 3}), 1, tensor<std::int64_t>({{1}})), ShapeError);
  EXPECT_EQ(values(index_add(count({2, 3}), 1, at, ones({2, 3}, {.dtype = kFloat64}))), (Values{1, 1, 4, 4, 4, 7}));
  EXPECT_THROW(index_add(count({2, 3}), 1, at, ones({2, 3})), DtypeError);
  EXPECT_THROW(index_add(count({2, 3}), 1, at, count({2, 2})), ShapeError);
  check_linear([&](const Tensor& x) { return index_select(x, 1, at); }, {2, 3, 2});
  check_linear([&](const Tensor& x) { return index_add(x, 1, at, count({2, 3})); }, {2, 4});
  check_linear([&](const Tensor& x) { return index_add(count({2, 4}), 1, at, x); }, {2, 3});
}

TEST(Embedding, PaddingGetsNoGradient) {
  const Tensor at = tensor<std::int64_t>({{1, 2}, {2, 0}});
  EXPECT_EQ(values(embedding(at, count({3, 2}))), (Values{2, 3, 4, 5, 4, 5, 0, 1}));
  EXPECT_EQ(embedding(at.to(kInt32), count({3, 2})).sizes(), (Shape{2, 2, 2}));
  EXPECT_EQ(embedding(zeros({0, 2}, {.dtype = kInt64}), count({3, 2})).sizes(), (Shape{0, 2, 2}));
  const Tensor weight = count({3, 2}).requires_grad_(), w = ones({2, 2, 2}, {.dtype = kFloat64}).requires_grad_();
  const Tensor y = embedding(at, weight, 2);
  EXPECT_EQ(values(y), (Values{2, 3, 4, 5, 4, 5, 0, 1}));
  const Tensor grad = autograd::grad({y}, {weight}, {w}, {.create_graph = true})[0];
  EXPECT_EQ(values(grad), (Values{1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(values(autograd::grad({grad}, {w}, {count({3, 2}, 1)})[0]), (Values{3, 4, 0, 0, 0, 0, 1, 2}));
  EXPECT_EQ(message_of([&] {
              embedding(at, count({2, 2}));
            }),
            "embedding: index must be in [0, 2), got 2 at position [0, 1]");
  EXPECT_THROW(embedding(at, count({3, 2}), 3), IndexError);
  EXPECT_THROW(embedding(at, count({3})), ShapeError);
  check_linear([&](const Tensor& x) { return embedding(at, x); }, {3, 2});
}

TEST(Embedding, GradientSumsInOrderForManyRows) {
  // Wide rows are split by columns, narrow ones by rows of the weight; both add in the order of the index.
  for (const std::int64_t width : {1, 3, 80}) {
    const std::int64_t n = 5000, rows = 37;
    std::vector<std::int64_t> entries(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i] = static_cast<std::int64_t>(i * i * 7 % 37);
    const Tensor weight = zeros({rows, width}).requires_grad_();
    const Tensor g = sin(count({n, width})).to(kFloat32);
    embedding(tensor(entries), weight).backward(g);
    std::vector<float> expected(static_cast<std::size_t>(rows * width));
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        expected[static_cast<std::size_t>(entries[static_cast<std::size_t>(i)] * width + j)] +=
            g.data_ptr<float>()[i * width + j];
      }
    }
    EXPECT_EQ(weight.grad().to_vector<float>(), expected);
  }
}

TEST(Masks, NonzeroSelectFill) {
  EXPECT_EQ(values(nonzero(tensor({{0.0, 2.0}, {std::nan(""), 0.0}}))), (Values{0, 1, 1, 0}));
  EXPECT_EQ(nonzero(tensor(2.0)).sizes(), (Shape{1, 0}));
  EXPECT_EQ(nonzero(tensor(0.0)).sizes(), (Shape{0, 0}));
  EXPECT_EQ(values(nonzero(tensor({{1, 0}, {1, 0}}).t())), (Values{0, 0, 0, 1}));
  const Tensor mask = tensor({true, false, true});
  EXPECT_EQ(values(masked_select(count({2, 3}), mask)), (Values{0, 2, 3, 5}));
  EXPECT_EQ(values(masked_select(tensor(4.0), mask)), (Values{4, 4}));
  EXPECT_EQ(values(masked_fill(count({2, 3}), mask, -1)), (Values{-1, 1, -1, -1, 4, -1}));
  EXPECT_EQ(masked_fill(zeros({3}, {.dtype = kInt64}), mask, 1.5).to_vector<double>(), (Values{1, 0, 1}));
  EXPECT_EQ(masked_fill(tensor(1.0), mask, 0).sizes(), (Shape{3}));
  EXPECT_THROW(masked_fill(count({3}), count({3}), 0), DtypeError);
  EXPECT_THROW(masked_select(count({3}), tensor({1, 0, 1})), DtypeError);
  EXPECT_THROW(masked_select(count({2}), mask), ShapeError);
  check_linear([&](const Tensor& x) { return masked_select(x, mask); }, {2, 3});
  check_linear([&](const Tensor& x) { return masked_fill(x, mask, 3); }, {2, 3});
}

TEST(OneHot, Rows) {
  EXPECT_EQ(values(one_hot(tensor({1, 0, 2}))), (Values{0, 1, 0, 1, 0, 0, 0, 0, 1}));
  EXPECT_EQ(one_hot(tensor(2), 4).sizes(), (Shape{4}));
  EXPECT_EQ(one_hot(zeros({0}, {.dtype = kInt64}), 3).sizes(), (Shape{0, 3}));
  EXPECT_THROW(one_hot(zeros({0}, {.dtype = kInt64})), ValueError);
  EXPECT_THROW(one_hot(tensor({3}), 3), IndexError);
  EXPECT_THROW(one_hot(tensor({-1})), IndexError);
}

}  // namespace
}  // namespace gradus
