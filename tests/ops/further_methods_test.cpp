// Methods are the functions of their name: values, gradients, and what lies in the tensor that they change.
#include <gradus/ops.h>
#include <gradus/ops/activation.h>
#include <gradus/ops/arranging.h>
#include <gradus/ops/choice.h>
#include <gradus/ops/creation.h>
#include <gradus/ops/diagonals.h>
#include <gradus/ops/further.h>
#include <gradus/ops/mathematics.h>
#include <gradus/ops/placing.h>
#include <gradus/ops/products.h>
#include <gradus/ops/searching.h>
#include <gradus/ops/statistics.h>
#include <gradus/random.h>

#include <algorithm>
#include <limits>

#include <gtest/gtest.h>

namespace gradus {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.sizes() == b.sizes() && allclose(a, b, 0, 0, true);
}
bool same(const std::pair<Tensor, Tensor>& a, const std::pair<Tensor, Tensor>& b) {
  return same(a.first, b.first) && same(a.second, b.second);
}
bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return same(x, y); });
}

struct Case {
  const char* name;
  Tensor (*function)(const Tensor& x, const Tensor& y);
  Tensor (*method)(const Tensor& x, const Tensor& y);
  Tensor& (*in_place)(const Tensor& x, const Tensor& y);
};

Tensor rows() { return tensor({1, 0}); }

// x and y are between 0.1 and 0.9, so that all are defined there.
#define GRADUS_CASE(name, ...)                                                                                 \
  {                                                                                                            \
#name, [](const Tensor& x, [[maybe_unused]] const Tensor& y) { return name(x __VA_OPT__(, ) __VA_ARGS__); }, \
        [](const Tensor& x, [[maybe_unused]] const Tensor& y) { return x.name(__VA_ARGS__); },              \
        [](const Tensor& x, [[maybe_unused]] const Tensor& y) -> Tensor& { return x.name##_(__VA_ARGS__); } \
  }

const Case kCases[] = {
    GRADUS_CASE(asin),
    GRADUS_CASE(acos),
    GRADUS_CASE(sinh),
    GRADUS_CASE(cosh),
    GRADUS_CASE(asinh),
    GRADUS_CASE(atanh),
    GRADUS_CASE(deg2rad),
    GRADUS_CASE(rad2deg),
    GRADUS_CASE(sinc),
    GRADUS_CASE(arcsin),
    GRADUS_CASE(arccos),
    GRADUS_CASE(arctan),
    GRADUS_CASE(arcsinh),
    GRADUS_CASE(arctanh),
    GRADUS_CASE(exp2),
    GRADUS_CASE(erfc),
    GRADUS_CASE(erfinv),
    GRADUS_CASE(lgamma),
    GRADUS_CASE(digamma),
    GRADUS_CASE(trunc),
    GRADUS_CASE(frac),
    GRADUS_CASE(fix),
    GRADUS_CASE(absolute),
    GRADUS_CASE(negative),
    GRADUS_CASE(atan),
    GRADUS_CASE(hypot, y),
    GRADUS_CASE(arctan2, y),
    GRADUS_CASE(xlogy, y),
    GRADUS_CASE(fmod, y),
    GRADUS_CASE(copysign, y),
    GRADUS_CASE(subtract, y),
    GRADUS_CASE(multiply, y),
    GRADUS_CASE(divide, y),
    GRADUS_CASE(true_divide, y),
    GRADUS_CASE(atan2, y),
    GRADUS_CASE(floor_divide, y),
    GRADUS_CASE(heaviside, y),
    GRADUS_CASE(xlogy, 0.3),
    GRADUS_CASE(fmod, 0.3),
    GRADUS_CASE(copysign, 0.3),
    GRADUS_CASE(subtract, 0.3),
    GRADUS_CASE(multiply, 0.3),
    GRADUS_CASE(divide, 0.3),
    GRADUS_CASE(true_divide, 0.3),
    GRADUS_CASE(float_power, 0.3),
    GRADUS_CASE(floor_divide, 0.3),
    GRADUS_CASE(clamp_min, 0.3),
    GRADUS_CASE(clamp_max, 0.3),
    GRADUS_CASE(div, y, "floor"),
    GRADUS_CASE(div, 0.3, "trunc"),
    GRADUS_CASE(divide, y, "trunc"),
    GRADUS_CASE(divide, 0.3, "floor"),
    GRADUS_CASE(addcmul, y, y, 2),
    GRADUS_CASE(addcdiv, y, y, 2),
    GRADUS_CASE(logit, 1e-6),
    GRADUS_CASE(nan_to_num, 0),
    GRADUS_CASE(clip, 0.2, 0.5),
    GRADUS_CASE(pow, y),
    GRADUS_CASE(float_power, y),
    GRADUS_CASE(index_copy, 0, rows(), y),
    GRADUS_CASE(index_fill, 0, rows(), 2.5),
    GRADUS_CASE(index_fill, 0, rows(), y.sum()),
    GRADUS_CASE(index_reduce, 0, rows(), y, "mean"),
    GRADUS_CASE(scatter_reduce, 0, zeros({2, 3}, {.dtype = kInt64}), y, "amax"),
    GRADUS_CASE(masked_scatter, y > 0.5, y),
    GRADUS_CASE(put, tensor({1, 4}), y[0].narrow(0, 0, 2)),
    GRADUS_CASE(renorm, 2, 0, 0.5),
    GRADUS_CASE(addr, y.select(1, 0), y[0], 2, 3),
};
#undef GRADUS_CASE

// Gradients, or none where the function has none.
Tensor gradient(const Tensor& y, const Tensor& x) {
  if (!y.requires_grad()) return zeros({1});
  (y * y).sum().backward();
  return x.grad();
}

TEST(FurtherMethods, AreTheFunctionsOfTheirName) {
  manual_seed(4);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const Tensor y = rand({2, 3}, {.dtype = kFloat64}) * 0.8 + 0.1;
    const Tensor a = (rand({2, 3}, {.dtype = kFloat64}) * 0.8 + 0.1).requires_grad_();
    const Tensor b = a.detach().clone().requires_grad_(), d = a.detach().clone().requires_grad_();
    const Tensor expected = c.function(a * 1, y);
    EXPECT_TRUE(same(c.method(b * 1, y), expected));
    const Tensor changed = d * 1, row = changed[0];
    Tensor& returned = c.in_place(changed, y);
    EXPECT_TRUE(returned.is_same(changed));
    EXPECT_TRUE(same(changed, expected));
    EXPECT_TRUE(same(row, expected[0])) << "a view made before";
    const Tensor of_function = gradient(expected, a), of_method = gradient(c.method(b * 1, y), b);
    EXPECT_TRUE(same(of_method, of_function));
    EXPECT_TRUE(same(gradient(changed, d), of_function));
    EXPECT_THROW(c.in_place(b, y), AutogradError) << "a leaf that requires a gradient";
  }
}

TEST(FurtherMethods, WithoutAFormInPlace) {
  manual_seed(5);
  const Tensor x = rand({2, 3}), y = rand({2, 3}), v = rand({3}), w = rand({3}), n = arange(6).view({2, 3});
  const Tensor gaps = tensor({{1, kNaN, 3}, {kNaN, 5, 6}});
  EXPECT_TRUE(same(x.acosh(), acosh(x)) && same(x.logaddexp(y), logaddexp(x, y)));
  EXPECT_TRUE(same(x.logaddexp2(y), logaddexp2(x, y)) && same(x.polygamma(1), polygamma(1, x)));
  const Tensor ends = tensor({kInfinity, -kInfinity, -0.5, 2.0});
  EXPECT_TRUE(same(ends.signbit(), tensor({false, true, true, false})) && same(x.fmax(y), fmax(x, y)) &&
              same(x.fmin(y), fmin(x, y)));
  EXPECT_TRUE(same(x.isclose(y, 0.5), isclose(x, y, 0.5)) && same(ends.isposinf(), isposinf(ends)));
  EXPECT_TRUE(same(ends.isneginf(), isneginf(ends)) && same(ends.isposinf(), tensor({true, false, false, false})));
  EXPECT_TRUE(same(x.where(y > 0.5, 2), where(y > 0.5, x, 2)));
  EXPECT_TRUE(same(x.hardshrink(0.3), hardshrink(x, 0.3)) && same(x.prelu(tensor({0.1})), prelu(x, tensor({0.1}))));
  EXPECT_TRUE(same(x.movedim(0, 1), x.t()) && same(x.moveaxis(0, 1), x.t()) && same(x.swapaxes(0, 1), x.t()));
  EXPECT_TRUE(same(x.swapdims(0, 1), x.t()) && same(x.mT(), x.t()) && same(x.ravel(), x.view({6})));
  EXPECT_TRUE(same(x.tile({2}), tile(x, {2})) && same(x.view({1, 2, 3, 1}).squeeze({0, 3}), x));
  EXPECT_TRUE(same(x.rot90(), rot90(x)) && same(x.fliplr(), fliplr(x)) && same(x.flipud(), flipud(x)));
  EXPECT_TRUE(same(v.broadcast_to({2, 3}), expand(v, {2, 3})));
  EXPECT_TRUE(same(x.tensor_split(2, 1), tensor_split(x, 2, 1)) && same(x.tensor_split({1}), tensor_split(x, {1})));
  EXPECT_TRUE(same(x.hsplit(3), hsplit(x, 3)) && same(x.vsplit(2), vsplit(x, 2)));
  EXPECT_TRUE(same(x.split_with_sizes({1, 2}, 1), split(x, {1, 2}, 1)));
  EXPECT_TRUE(same(x.diagonal(), diagonal(x)) && same(v.diag(), diag(v)) && same(v.diag_embed(), diag_embed(v)));
  EXPECT_TRUE(same(v.diagflat(1), diagflat(v, 1)) &&
              same(x.diagonal_scatter(v[{Slice(0, 2)}]), diagonal_scatter(x, v[{Slice(0, 2)}])));
  EXPECT_TRUE(same(x.scatter(0, n * 0, 2.5), scatter(x, 0, n * 0, 2.5)) && same(x.take(n), x));
  EXPECT_TRUE(same(x.take_along_dim(x.argsort(1), 1), x.sort(1).first));
  EXPECT_TRUE(same(x.select_scatter(v, 0, 1), select_scatter(x, v, 0, 1)));
  EXPECT_TRUE(same(x.slice_scatter(y, 0, 0, 2), y));
  EXPECT_TRUE(same(x.mv(v), mv(x, v)) && same(v.vdot(w), vdot(v, w)) && same(v.inner(w), inner(v, w)));
  EXPECT_TRUE(same(x.kron(y), kron(x, y)) && same(x.dist(y), dist(x, y)) && same(x.cov(), cov(x)));
  EXPECT_TRUE(same(x.corrcoef(), corrcoef(x)) && same(x.diff(), diff(x)));
  EXPECT_TRUE(same(x.diff(1, 1, y), diff(x, 1, 1, y)) &&
              same(x.cov(0, tensor({1, 2, 1})), cov(x, 0, tensor({1, 2, 1}))));
  EXPECT_TRUE(same(x.mm(y.t()).matrix_power(3), matrix_power(x.mm(y.t()), 3)));
  EXPECT_TRUE(same(n.argwhere(), nonzero(n)) && same(x.msort(), msort(x)));
  EXPECT_TRUE(same(n.count_nonzero(), tensor(5)) && same(gaps.nansum(1), nansum(gaps, 1)));
  EXPECT_TRUE(same(gaps.nanmean(0), nanmean(gaps, 0)) && same(gaps.nanmedian(), nanmedian(gaps)));
  EXPECT_TRUE(same(gaps.nanquantile(0.5), nanquantile(gaps, 0.5)) && same(x.quantile(0.3, 1), quantile(x, 0.3, 1)));
  EXPECT_TRUE(same(x.kthvalue(2), kthvalue(x, 2)) && same(x.aminmax(1), aminmax(x, 1)));
  EXPECT_TRUE(same(x.logcumsumexp(1), logcumsumexp(x, 1)) && same(x.cummax(1), cummax(x, 1)));
  EXPECT_TRUE(same(x.cummin(0), cummin(x, 0)) && same(x.histc(4, 0, 1), histc(x, 4, 0, 1)));
  EXPECT_TRUE(same(n.ravel().bincount(), bincount(n.ravel())));
  EXPECT_TRUE(same(n.ravel().bincount(x.ravel(), 8), bincount(n.ravel(), x.ravel(), 8)));
  EXPECT_TRUE(same(n.unique().values, n.ravel()) && same(n.sum({}, false, kFloat64), tensor(15., {.dtype = kFloat64})));
  EXPECT_TRUE(same(n.bitwise_and(3), bitwise_and(n, 3)) && same(n.bitwise_or(n), n) && same(n.bitwise_not(), ~n));
  EXPECT_TRUE(same(n.bitwise_left_shift(2), n * 4) && same(n.clone().bitwise_xor_(5), n ^ 5));
  EXPECT_TRUE(same((x > 0.5).logical_and_(y > 0.5), (x > 0.5) & (y > 0.5)));
  EXPECT_EQ(x.half().dtype(), kFloat16);
  EXPECT_EQ(x.bfloat16().dtype(), kBFloat16);
  EXPECT_EQ(x.ndim(), 2);
  EXPECT_TRUE(same(x.trace(), trace(x)) && same(x.index_put({1}, v), index_put(x, {1}, v)));
  EXPECT_TRUE(same(n.remainder(2).unique(0).counts, tensor({1, 1})) && same(x.bernoulli(0), zeros({2, 3})));
  EXPECT_TRUE(same(x.bernoulli(1), ones({2, 3})) && same(zeros({2}).bernoulli(), zeros({2})));
}

TEST(FurtherMethods, RefuseWhatDoesNotFitTheTensor) {
  const Tensor n = tensor({1, 2, 3});
  for (const auto& change : {+[](const Tensor& x) { x.sinh_(); }, +[](const Tensor& x) { x.divide_(2); },
                             +[](const Tensor& x) { x.float_power_(2); }, +[](const Tensor& x) { x.logical_not_(); }}) {
    EXPECT_THROW(change(n), DtypeError);
    EXPECT_TRUE(same(n, tensor({1, 2, 3})));
  }
  EXPECT_THROW(rand({2, 2}).addcmul_(rand({3, 2, 2}), rand({2})), ShapeError);
}

TEST(TensorOfLists, TakesNumbersOfSeveralKindsToAnyDepth) {
  EXPECT_TRUE(same(tensor({1, 2.5}), tensor({1.0, 2.5})));
  EXPECT_TRUE(same(tensor({true, 2}), tensor({1, 2})));
  EXPECT_TRUE(same(tensor({{1, 2.5}, {3, 4}}), tensor({1.0, 2.5, 3.0, 4.0}).view({2, 2})));
  EXPECT_TRUE(same(tensor({{1, 2}, {3, 4}}), tensor({1, 2, 3, 4}).view({2, 2})));
  EXPECT_TRUE(same(tensor({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}), (arange(8) + 1).view({2, 2, 2})));
  EXPECT_TRUE(same(tensor({{{true}}}), ones({1, 1, 1}, {.dtype = kBool})));
  EXPECT_TRUE(same(tensor({{1, 2}}, {.dtype = kFloat64}), tensor({1.0, 2.0}, {.dtype = kFloat64}).view({1, 2})));
  EXPECT_TRUE(same(tensor({}), zeros({0})));
  EXPECT_THROW(tensor({{1, 2}, {3}}), ShapeError);
  EXPECT_THROW(tensor({{1, 300}}, {.dtype = kUInt8}), ValueError);
}

TEST(TensorOfLists, TakesTheOtherIntegersOfTheLanguage) {
  EXPECT_TRUE(same(tensor(std::vector<long long>{1, -2}), tensor({1, -2})));
  EXPECT_TRUE(same(tensor(std::vector<std::size_t>{1, 2}, {2, 1}), tensor({{1}, {2}})));
  EXPECT_TRUE(same(tensor({1u, 2u}), tensor({1, 2})));
  EXPECT_THROW(tensor(std::vector<unsigned long long>{~0ULL}), ValueError);
}

}  // namespace
}  // namespace gradus
