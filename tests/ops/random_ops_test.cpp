// Random tensors and dropout. What the numbers themselves are like: tests/kernels/random_test.cpp.
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/random.h>

#include <gtest/gtest.h>

#include <algorithm>

namespace gradus {
namespace {

using Values = std::vector<double>;

TEST(RandomTensors, HaveTheirTypesRangesAndOptions) {
  Generator generator(1);
  const Tensor u = rand({100, 100}, {.requires_grad = true}, &generator);
  EXPECT_EQ(u.dtype(), kFloat32);
  EXPECT_TRUE(u.requires_grad() && u.is_leaf());
  EXPECT_GE(u.min().item<double>(), 0);
  EXPECT_LT(u.max().item<double>(), 1);
  EXPECT_NEAR(u.mean().item<double>(), 0.5, 0.02);
  const Tensor n = randn({100, 100}, {.dtype = kFloat64}, &generator);
  EXPECT_EQ(n.dtype(), kFloat64);
  EXPECT_NEAR(n.mean().item<double>(), 0, 0.05);
  EXPECT_NEAR(n.std().item<double>(), 1, 0.05);
  const Tensor i = randint(-2, 3, {1000}, {}, &generator);
  EXPECT_EQ(i.dtype(), kInt64);
  EXPECT_EQ(i.min().item<int>(), -2);
  EXPECT_EQ(i.max().item<int>(), 2);
  EXPECT_EQ(randint(0, 2, {3}, {.dtype = kUInt8}, &generator).dtype(), kUInt8);
  Values order = randperm(50, {}, &generator).to_vector<double>();
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, arange(50).to_vector<double>());
  EXPECT_EQ(rand_like(n, {}, &generator).dtype(), kFloat64);
  EXPECT_EQ(randn({2, 3}, {.dtype = kBFloat16}, &generator).dtype(), kBFloat16);
  EXPECT_EQ(rand({0, 3}, {}, &generator).numel(), 0);
  EXPECT_EQ(randperm(0, {}, &generator).numel(), 0);
}

TEST(RandomTensors, RepeatWithTheSeedAndGoOnWithoutIt) {
  manual_seed(7);
  const Tensor first = rand({5}), second = rand({5});
  manual_seed(7);
  EXPECT_TRUE(equal(rand({5}), first));
  EXPECT_TRUE(equal(rand({5}), second));
  EXPECT_FALSE(equal(first, second));
  Generator a(7), b(7);
  EXPECT_TRUE(equal(rand({5}, {}, &a), first));
  EXPECT_TRUE(equal(randn({64}, {}, &a), (rand({5}, {}, &b), randn({64}, {}, &b))));
}

TEST(RandomTensors, FillViewsInOrder) {
  Generator a(3), b(3);
  const Tensor plain = zeros({3, 4}).uniform_(-1, 2, &a);
  Tensor base = zeros({4, 3});
  Tensor turned = base.t();
  turned.uniform_(-1, 2, &b);
  EXPECT_TRUE(equal(turned.contiguous(), plain));
  EXPECT_GT(base.version(), 0u);
}

TEST(RandomTensors, EndTheGradientOfWhatTheyOverwrite) {
  Tensor x = ones({4}, {.requires_grad = true});
  for (int kind = 0; kind < 3; ++kind) {
    Tensor y = x * 3;
    Tensor z = y * 1;
    if (kind == 0) y.uniform_();
    if (kind == 1) y.normal_();
    if (kind == 2) y.bernoulli_(1.0);
    x.zero_grad();
    (y * 2 + z).sum().backward();
    EXPECT_EQ(x.grad().to_vector<double>(), (Values{3, 3, 3, 3})) << kind;
  }
  Tensor leaf = ones({4}, {.requires_grad = true});
  EXPECT_THROW(leaf.normal_(), AutogradError);
  NoGrad guard;
  EXPECT_NO_THROW(leaf.normal_());
}

TEST(RandomTensors, RefuseNonsense) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  Tensor x = ones({4}), whole = tensor({1, 2});
  EXPECT_THROW(x.uniform_(1, 0), ValueError);
  EXPECT_THROW(x.uniform_(0, inf), ValueError);
  EXPECT_THROW(x.uniform_(0, 1e300), ValueError);
  EXPECT_THROW(x.uniform_(-3e38, 3e38), ValueError);
  EXPECT_THROW(x.normal_(0, -1), ValueError);
  EXPECT_THROW(x.normal_(nan, 1), ValueError);
  EXPECT_THROW(x.normal_(0, inf), ValueError);
  EXPECT_THROW(x.bernoulli_(1.5), ValueError);
  EXPECT_THROW(x.bernoulli_(nan), ValueError);
  EXPECT_THROW(whole.uniform_(), DtypeError);
  EXPECT_THROW(randint(3, 3, {2}), ValueError);
  EXPECT_THROW(randint(0, 300, {2}, {.dtype = kUInt8}), ValueError);
  EXPECT_THROW(randperm(-1), ValueError);
  EXPECT_THROW(randperm(300, {.dtype = kUInt8}), ValueError);
  EXPECT_THROW(rand({2, -1}), ShapeError);
  EXPECT_THROW(rand({2}, {.dtype = kInt64}), DtypeError);
  EXPECT_EQ(x.to_vector<double>(), (Values{1, 1, 1, 1}));
}

TEST(Dropout, KeepsScalesAndPassesTheGradientThroughItsMask) {
  Generator generator(5);
  const Tensor x = full({10000}, 2.0, {.dtype = kFloat64, .requires_grad = true});
  const Tensor y = dropout(x, 0.25, true, &generator);
  const double kept = (y != 0).to(kFloat64).mean().item<double>();
  EXPECT_NEAR(kept, 0.75, 0.02);
  EXPECT_TRUE(allclose(y, where(y != 0, full({}, 2 / 0.75, {.dtype = kFloat64}), number(0.0, y)), 1e-12));
  const Tensor g = autograd::grad({square(y).sum()}, {x}, {}, {.create_graph = true})[0];
  EXPECT_TRUE(allclose(g, 2 * y / 0.75, 1e-12));
  const Tensor gg = autograd::grad({g.sum()}, {x})[0];
  EXPECT_TRUE(allclose(gg, (y != 0).to(kFloat64) * (2 / (0.75 * 0.75)), 1e-12));
}

TEST(Dropout, AtItsEndsAndOutsideOfTraining) {
  Generator generator(5);
  const Tensor x = tensor({1.0, -2.0, 3.0}, {.requires_grad = true});
  EXPECT_TRUE(equal(dropout(x, 0.5, false, &generator), x));
  EXPECT_TRUE(equal(dropout(x, 0, true, &generator), x));
  EXPECT_EQ(generator.offset(), 0u);
  const Tensor none = dropout(x, 1, true, &generator);
  EXPECT_EQ((none != 0).to(kInt64).sum().item<int>(), 0);
  none.sum().backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{0, 0, 0}));
  EXPECT_THROW(dropout(x, 1.1), ValueError);
  EXPECT_THROW(dropout(x, std::nan("")), ValueError);
  EXPECT_EQ(dropout(ones({0, 2}), 0.5).numel(), 0);
}

// Draws are rounded to bfloat16, but not to the end of the range, nor below its start.
TEST(RandomTensors, InBFloat16StayWithinTheirRange) {
  manual_seed(1);
  const auto least = [](const Tensor& x) { return min(x.to(kFloat64)).item(); };
  const auto most = [](const Tensor& x) { return max(x.to(kFloat64)).item(); };
  const std::int64_t n = 200'000;
  EXPECT_EQ(most(rand({n}, {.dtype = kBFloat16})), 1 - 0x1p-8);
  EXPECT_EQ(most(rand_like(zeros({n}, {.dtype = kBFloat16}))), 1 - 0x1p-8);
  Tensor x = zeros({n}, {.dtype = kBFloat16});
  for (const auto& [from, to] :
       {std::pair(0.0, 4.0), {-1.0, 1.0}, {-0.1, 0.0}, {0.1, 0.2}, {-0.3, -0.1}, {1000, 1001}}) {
    x.uniform_(from, to);
    EXPECT_GE(least(x), from);
    EXPECT_LT(most(x), to);
  }
  x.uniform_(1001, 1002);  // it has none between them
  EXPECT_EQ(least(x), most(x));
  EXPECT_NEAR(mean(rand({n}, {.dtype = kBFloat16}).to(kFloat32)).item(), 0.5, 0.005);
  const Tensor whole = randint(-1000, 1000, {n}, {.dtype = kBFloat16});
  EXPECT_EQ(least(whole), -1000);
  EXPECT_EQ(most(whole), 996);
  EXPECT_LT(most(randint(0, (1 << 24) + 2, {n}, {.dtype = kFloat32})), (1 << 24) + 2);
}

}  // namespace
}  // namespace gradus
