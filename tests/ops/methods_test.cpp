// Methods do what the functions do, in place too, with the gradients of the operation.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

bool same(const Tensor& a, const Tensor& b) { return a.dtype() == b.dtype() && equal(a, b); }
bool same(const std::pair<Tensor, Tensor>& a, const std::pair<Tensor, Tensor>& b) {
  return same(a.first, b.first) && same(a.second, b.second);
}
bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return same(x, y); });
}

TEST(Methods, DoWhatTheFunctionsDo) {
  manual_seed(1);
  const Tensor x = randn({3, 4}), y = randn({3, 4}), index = tensor({{0, 1, 2, 0}}), mask = x > 0;
  EXPECT_TRUE(same(x.unflatten(1, {2, 2}), unflatten(x, 1, {2, 2})));
  EXPECT_TRUE(same(x.split(std::vector<std::int64_t>{1, 3}, 1), split(x, std::vector<std::int64_t>{1, 3}, 1)));
  EXPECT_TRUE(same(x.unbind(1), unbind(x, 1)));
  EXPECT_TRUE(same(x.repeat({2, 1}), repeat(x, {2, 1})));
  EXPECT_TRUE(same(x.flip(1), flip(x, 1)));
  EXPECT_TRUE(same(x.roll(1, 1), roll(x, 1, 1)));
  EXPECT_TRUE(same(x.tril(1), tril(x, 1)));
  EXPECT_TRUE(same(x.triu(-1), triu(x, -1)));
  EXPECT_TRUE(same(x.index_add(0, tensor({0, 0, 2}), y), index_add(x, 0, tensor({0, 0, 2}), y)));
  EXPECT_TRUE(same(x.scatter(0, index, y), scatter(x, 0, index, y)));
  EXPECT_TRUE(same(x.scatter_add(0, index, y), scatter_add(x, 0, index, y)));
  EXPECT_TRUE(same(x.masked_select(mask), masked_select(x, mask)));
  EXPECT_TRUE(same(x.where(mask, y), where(mask, x, y)));
  EXPECT_TRUE(same(mask.nonzero(), nonzero(mask)));
  EXPECT_TRUE(same(x.sort(1, true), sort(x, 1, true)));
  EXPECT_TRUE(same(x.argsort(0), argsort(x, 0)));
  EXPECT_TRUE(same(x.topk(2, 1, false), topk(x, 2, 1, false)));
  EXPECT_TRUE(same(x.logsumexp(1, true), logsumexp(x, 1, true)));
  EXPECT_TRUE(same(x.prod(), prod(x)));
  EXPECT_TRUE(same(x.prod(1, true), prod(x, 1, true)));
  EXPECT_TRUE(same(x.cumsum(1), cumsum(x, 1)));
  EXPECT_TRUE(same(x.amax(0), amax(x, 0)));
  EXPECT_TRUE(same(x.amin({0, 1}, true), amin(x, {0, 1}, true)));
  EXPECT_TRUE(same(x.max(1), max(x, 1)));
  EXPECT_TRUE(same(x.min(0, true), min(x, 0, true)));
  EXPECT_TRUE(same(mask.all(1), all(mask, 1)));
  EXPECT_TRUE(same(mask.any(0, true), any(mask, 0, true)));
  EXPECT_TRUE(same(x.mm(y.t()), mm(x, y.t())));
  EXPECT_TRUE(same(x.unsqueeze(0).bmm(y.t().unsqueeze(0)), bmm(x.unsqueeze(0), y.t().unsqueeze(0))));
  EXPECT_TRUE(same(x[0].dot(y[0]), dot(x[0], y[0])));
  EXPECT_TRUE(same(x.add(y, 2), add(x, y, 2)));
  EXPECT_TRUE(same(x.sub(y, 2), sub(x, y, 2)));
  EXPECT_TRUE(same(x.mul(y).div(y.add(3)), div(mul(x, y), add(y, 3))));
  EXPECT_TRUE(same(x.sub(1).mul(2).div(4), div(mul(sub(x, 1), 2), 4)));
  EXPECT_TRUE(same(x.maximum(y), maximum(x, y)));
  EXPECT_TRUE(same(x.minimum(y), minimum(x, y)));
  EXPECT_TRUE(same(x.abs().pow(y), pow(abs(x), y)));
  EXPECT_TRUE(same(x.square().reciprocal().rsqrt(), rsqrt(reciprocal(square(x)))));
  EXPECT_TRUE(same(x.floor() + x.ceil() + x.round() + x.sign(), floor(x) + ceil(x) + round(x) + sign(x)));
  EXPECT_TRUE(same(x.expm1().abs().log1p() + x.erf(), log1p(abs(expm1(x))) + erf(x)));
  EXPECT_TRUE(same(x.lt(y), lt(x, y)) && same(x.le(y), le(x, y)) && same(x.gt(y), gt(x, y)) && same(x.ge(y), ge(x, y)));
  EXPECT_TRUE(same(x.lt(0), lt(x, 0)) && same(x.le(0), le(x, 0)) && same(x.gt(0), gt(x, 0)) && same(x.ge(0), ge(x, 0)));
  EXPECT_TRUE(same(index.eq(0), eq(index, 0)) && same(index.ne(0), ne(index, 0)));
  const Tensor odd = tensor({1.0f, INFINITY, NAN});
  EXPECT_TRUE(same(odd.isnan(), isnan(odd)) && same(odd.isinf(), isinf(odd)) && same(odd.isfinite(), isfinite(odd)));
  EXPECT_TRUE(x.equal(x.clone()) && !x.equal(y));
  EXPECT_TRUE(x.allclose(x + 1e-9) && !x.allclose(x + 1));
}

struct InPlace {
  const char* name;
  Tensor (*function)(const Tensor& x, const Tensor& y);
  void (*method)(const Tensor& x, const Tensor& y);
};

Tensor some_mask() { return tensor({{true, false, false}, {false, true, true}}); }
Tensor some_index() { return tensor({{1, 0, 1}, {0, 1, 0}}); }

const InPlace kInPlace[] = {
    {"tanh_", [](const Tensor& x, const Tensor&) { return tanh(x); },
     [](const Tensor& x, const Tensor&) { x.tanh_(); }},
    {"sigmoid_", [](const Tensor& x, const Tensor&) { return sigmoid(x); },
     [](const Tensor& x, const Tensor&) { x.sigmoid_(); }},
    {"exp_", [](const Tensor& x, const Tensor&) { return exp(x); }, [](const Tensor& x, const Tensor&) { x.exp_(); }},
    {"log_", [](const Tensor& x, const Tensor&) { return log(x); }, [](const Tensor& x, const Tensor&) { x.log_(); }},
    {"sqrt_", [](const Tensor& x, const Tensor&) { return sqrt(x); },
     [](const Tensor& x, const Tensor&) { x.sqrt_(); }},
    {"abs_", [](const Tensor& x, const Tensor&) { return abs(x); }, [](const Tensor& x, const Tensor&) { x.abs_(); }},
    {"neg_", [](const Tensor& x, const Tensor&) { return neg(x); }, [](const Tensor& x, const Tensor&) { x.neg_(); }},
    {"pow_", [](const Tensor& x, const Tensor&) { return pow(x, 1.5); },
     [](const Tensor& x, const Tensor&) { x.pow_(1.5); }},
    {"lerp_", [](const Tensor& x, const Tensor& y) { return lerp(x, y, 0.3); },
     [](const Tensor& x, const Tensor& y) { x.lerp_(y, 0.3); }},
    {"masked_fill_", [](const Tensor& x, const Tensor&) { return masked_fill(x, some_mask(), -7); },
     [](const Tensor& x, const Tensor&) { x.masked_fill_(some_mask(), -7); }},
    {"index_add_",
     [](const Tensor& x, const Tensor& y) {
       return index_add(x, 0, tensor({1, 1}), y);
     },
     [](const Tensor& x, const Tensor& y) {
       x.index_add_(0, tensor({1, 1}), y);
     }},
    {"scatter_", [](const Tensor& x, const Tensor& y) { return scatter(x, 0, some_index(), y); },
     [](const Tensor& x, const Tensor& y) { x.scatter_(0, some_index(), y); }},
    {"scatter_ of a number", [](const Tensor& x, const Tensor&) { return scatter(x, 0, some_index(), 2.5); },
     [](const Tensor& x, const Tensor&) { x.scatter_(0, some_index(), 2.5); }},
    {"scatter_add_", [](const Tensor& x, const Tensor& y) { return scatter_add(x, 0, some_index(), y); },
     [](const Tensor& x, const Tensor& y) { x.scatter_add_(0, some_index(), y); }},
};

TEST(Methods, OfLessUsualFunctionsDoTheSame) {
  manual_seed(2);
  const Tensor x = randn({3, 4}), y = randn({3, 4}), mask = x > 0, other = y > 0, n = arange(-6, 6).view({3, 4});
  EXPECT_TRUE(same(x.tan(), tan(x)) && same(x.atan(), atan(x)) && same(x.atan2(y), atan2(x, y)));
  EXPECT_TRUE(same(x.abs().log2(), log2(abs(x))) && same(x.abs().log10(), log10(abs(x))));
  EXPECT_TRUE(same(x.remainder(y), remainder(x, y)) && same(x.lerp(y, 0.25), lerp(x, y, 0.25)));
  EXPECT_TRUE(same(n.remainder(4), tensor({{2, 3, 0, 1}, {2, 3, 0, 1}, {2, 3, 0, 1}})));
  EXPECT_TRUE(same(n % 4, n.remainder(tensor(4))) && same(x % 0.5, remainder(x, tensor(0.5))));
  EXPECT_TRUE(same(n.floor_divide(4), tensor({{-2, -2, -1, -1}, {-1, -1, 0, 0}, {0, 0, 1, 1}})));
  EXPECT_THROW(n.remainder(0), ValueError);
  EXPECT_EQ((n % 0.5).dtype(), kFloat32);
  EXPECT_TRUE(same(mask.logical_and(other), logical_and(mask, other)) && same(mask.logical_not(), logical_not(mask)));
  EXPECT_TRUE(same(mask.logical_or(other), logical_or(mask, other)));
  EXPECT_TRUE(same(mask.logical_xor(other), logical_xor(mask, other)));
  EXPECT_TRUE(same(x.median(), median(x)) && same(x.median(1, true), median(x, 1, true)));
  EXPECT_TRUE(same(x.cumprod(1), cumprod(x, 1)) && same(x.repeat_interleave(2, 0), repeat_interleave(x, 2, 0)));
  EXPECT_TRUE(same(x[0].outer(y[0]), outer(x[0], y[0])));
  EXPECT_TRUE(same(ones({3, 3}).addmm(x, y.t(), 2, 3), addmm(ones({3, 3}), x, y.t(), 2, 3)));
  EXPECT_EQ(x.abs().multinomial(2).sizes(), Shape({3, 2}));
  EXPECT_TRUE(same(n.new_zeros({2}), zeros({2}, {.dtype = kInt64})));
  EXPECT_TRUE(same(n.new_ones({2}, {.dtype = kBool}), ones({2}, {.dtype = kBool})));
  EXPECT_TRUE(same(n.new_full({2}, 7), tensor({7, 7})) && n.new_empty({3}).dtype() == kInt64);
  EXPECT_TRUE(same(n.type_as(x), n.to(kFloat32)) && same(x.reshape_as(ones({2, 6})), x.reshape({2, 6})));
}

TEST(Methods, InPlaceDoTheSame) {
  manual_seed(3);
  const Tensor x = rand({3, 3}) + 0.5, y = rand({3, 3}) + 0.5;
  const std::vector<std::pair<Tensor (*)(const Tensor&), Tensor& (Tensor::*)() const>> all = {
      {ceil, &Tensor::ceil_},   {floor, &Tensor::floor_},   {round, &Tensor::round_},
      {sign, &Tensor::sign_},   {square, &Tensor::square_}, {reciprocal, &Tensor::reciprocal_},
      {rsqrt, &Tensor::rsqrt_}, {sin, &Tensor::sin_},       {cos, &Tensor::cos_},
      {tan, &Tensor::tan_},     {log2, &Tensor::log2_},     {log10, &Tensor::log10_},
      {log1p, &Tensor::log1p_}, {expm1, &Tensor::expm1_},   {erf, &Tensor::erf_}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    Tensor leaf = x.clone().requires_grad_(), same_leaf = x.clone().requires_grad_();
    Tensor changed = leaf * 1;
    const Tensor view = changed;
    (changed.*all[i].second)();
    const Tensor expected = all[i].first(same_leaf * 1);
    EXPECT_TRUE(same(view, expected));
    changed.sum().backward();
    expected.sum().backward();
    EXPECT_TRUE(same(leaf.grad(), same_leaf.grad()));
  }
  EXPECT_TRUE(same(x.clone().remainder_(y), remainder(x, y)) && same(x.clone().remainder_(0.5), x % 0.5));
  EXPECT_TRUE(same(x.clone().tril_(-1), tril(x, -1)) && same(x.clone().triu_(1), triu(x, 1)));
  EXPECT_TRUE(same(x.clone().cumsum_(1), cumsum(x, 1)) && same(x.clone().cumprod_(0), cumprod(x, 0)));
  EXPECT_TRUE(same(x.clone().addmm_(x, y, 2, 3), addmm(x, x, y, 2, 3)));
  EXPECT_THROW(arange(3).reciprocal_(), DtypeError);
}

TEST(Methods, ChangeInPlaceWithTheSameValuesAndGradients) {
  manual_seed(2);
  for (const InPlace& op : kInPlace) {
    SCOPED_TRACE(op.name);
    Tensor x = rand({2, 3}, {.dtype = kFloat64}) + 0.5, y = rand({2, 3}, {.dtype = kFloat64});
    Tensor x2 = x.clone(), y2 = y.clone();
    for (const Tensor* t : {&x, &y, &x2, &y2}) t->requires_grad_();
    const Tensor expected = op.function(x * 2, y);
    Tensor changed = x2 * 2;
    const Tensor row = changed[0];  // a view made before sees the change, and its gradient
    op.method(changed, y2);
    EXPECT_TRUE(equal(changed, expected));
    EXPECT_TRUE(equal(row, expected[0]));
    const Tensor weight = rand({2, 3}, {.dtype = kFloat64});
    (expected * weight + expected * expected).sum().backward();
    (changed * weight + changed * changed).sum().backward();
    EXPECT_TRUE(allclose(x.grad(), x2.grad(), 1e-12, 1e-12));
    EXPECT_EQ(y.grad().defined(), y2.grad().defined());
    if (y.grad().defined() && y2.grad().defined()) {
      EXPECT_TRUE(allclose(y.grad(), y2.grad(), 1e-12, 1e-12));
    }

    EXPECT_THROW(op.method(x2, y2), AutogradError) << "a leaf that requires a gradient";
    const Tensor before = x2.detach().clone();
    {
      NoGrad no_grad;
      op.method(x2, y2);
    }
    EXPECT_TRUE(equal(x2.detach(), op.function(before, y.detach())));
  }
}

TEST(Methods, RefuseInPlaceWhatDoesNotFit) {
  const Tensor integers = tensor({1, 2, 3});
  EXPECT_THROW(integers.exp_(), DtypeError);
  EXPECT_EQ(integers.to_vector<int>(), (std::vector<int>{1, 2, 3}));
  EXPECT_THROW(zeros({3}).lerp_(ones({2, 3}), 0.5), ShapeError);
  EXPECT_THROW(zeros({3}).scatter_(0, tensor({3}), 1), IndexError);
  EXPECT_THROW(zeros({3}, {.dtype = kUInt8}).scatter_(0, tensor({0}), 300), ValueError);
}

TEST(Methods, OneHotByScatter) {
  const Tensor labels = tensor({2, 0, 1});
  EXPECT_TRUE(equal(zeros({3, 3}).scatter_(1, labels.unsqueeze(1), 1), one_hot(labels, 3).to(kFloat32)));
}

TEST(Pow, OfANumberToATensor) {
  const Tensor x = tensor({-1.5, 0.0, 2.0, 3.0}, {.dtype = kFloat64, .requires_grad = true});
  const Tensor y = pow(2, x);
  EXPECT_TRUE(allclose(y, tensor({std::pow(2, -1.5), 1.0, 4.0, 8.0}, {.dtype = kFloat64}), 1e-14, 0));
  y.sum().backward();
  EXPECT_TRUE(allclose(x.grad(), y.detach() * std::log(2.0), 1e-14, 0));
  EXPECT_EQ(pow(2, tensor({0, 3, 5})).dtype(), kInt64);
  EXPECT_EQ(pow(2, tensor({0, 3, 5})).to_vector<int>(), (std::vector<int>{1, 8, 32}));
  EXPECT_EQ(pow(0.5, tensor({1, 2})).dtype(), kFloat32);
}

}  // namespace

}  // namespace gradus
