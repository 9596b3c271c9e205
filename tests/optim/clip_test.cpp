// Limits on gradients, against plain sums.
#include <gradus/core/parallel.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

const double kInf = std::numeric_limits<double>::infinity();

Tensor parameter(const Tensor& grad, const std::string& name = "") {
  Tensor x = zeros(grad.sizes(), {.dtype = grad.dtype(), .requires_grad = true});
  x.set_name(name);
  x.set_grad(grad.clone());
  return x;
}
Tensor parameter(std::initializer_list<double> grad, const std::string& name = "") {
  return parameter(tensor(grad, {.dtype = kFloat64}), name);
}

std::vector<double> grad_of(const Tensor& x) { return x.grad().to_vector<double>(); }

// Of all elements, in long double.
double plain_norm(const std::vector<Tensor>& tensors, double p) {
  long double sum = 0, largest = 0;
  for (const Tensor& x : tensors) {
    for (double v : x.to_vector<double>()) {
      sum += std::pow(std::abs(static_cast<long double>(v)), static_cast<long double>(p));
      largest = std::max(largest, std::abs(static_cast<long double>(v)));
    }
  }
  return static_cast<double>(std::isinf(p) ? largest : std::pow(sum, 1 / static_cast<long double>(p)));
}

// Lengths around the loops' blocks and vectors, in both types.
std::vector<Tensor> assorted() {
  manual_seed(5);
  std::vector<Tensor> all;
  for (std::int64_t n : {0, 1, 3, 31, 33, 4095, 4096, 4097, 50000}) {
    all.push_back(randn({n}));
    all.push_back(randn({n}, {.dtype = kFloat64}));
  }
  return all;
}

TEST(ClipGrad, NormsOfManyTensors) {
  const auto tensors = assorted();
  for (double p : {1.0, 2.0, 3.5, kInf}) {
    const Tensor norm = nn::utils::get_total_norm(tensors, p);
    EXPECT_EQ(norm.dtype(), kFloat64);
    EXPECT_NEAR(norm.item(), plain_norm(tensors, p), 1e-12 * plain_norm(tensors, p)) << p;
  }
  EXPECT_EQ(nn::utils::get_total_norm(randn({3})).dtype(), kFloat32);
  EXPECT_EQ(nn::utils::get_total_norm(optim::Params{}).item(), 0);
}

TEST(ClipGrad, ANanAnywhereIsTheNorm) {
  const Tensor fine = tensor({1.0, 2.0}), bad = tensor({5.0, std::nan(""), 7.0});
  for (double p : {1.0, 2.0, 3.0, kInf}) {
    EXPECT_TRUE(std::isnan(nn::utils::get_total_norm({fine, bad}, p).item())) << p;
    EXPECT_TRUE(std::isnan(nn::utils::get_total_norm({bad, fine}, p).item())) << p;
  }
}

TEST(ClipGrad, ScalesDownAndNeverUp) {
  for (double max_norm : {0.0, 1.0, 300.0, 1e4, kInf}) {
    const auto grads = assorted();
    std::vector<Tensor> parameters;
    for (const Tensor& g : grads) parameters.push_back(parameter(g));
    parameters.push_back(zeros({3}, {.requires_grad = true}));  // without a gradient
    const double norm = plain_norm(grads, 2);
    EXPECT_NEAR(nn::utils::clip_grad_norm_(parameters, max_norm).item(), norm, 1e-12 * norm);
    const double factor = std::min(1.0, max_norm / (norm + 1e-6));
    for (std::size_t i = 0; i < grads.size(); ++i) {
      const Tensor expected = grads[i] * factor;
      EXPECT_TRUE(allclose(parameters[i].grad(), expected, 1e-6, 0)) << i << ", " << max_norm;
    }
    EXPECT_FALSE(parameters.back().grad().defined());
  }
}

TEST(ClipGrad, WithAGivenNorm) {
  const Tensor x = parameter({3, 4});
  nn::utils::clip_grads_with_norm_(x, 1, tensor(10.0));
  EXPECT_NEAR(grad_of(x)[0], 0.3, 1e-7);
}

TEST(ClipGrad, Values) {
  const Tensor x = parameter({-3, -1, 0, 0.5, 4, std::nan(""), -kInf, kInf});
  nn::utils::clip_grad_value_(x, 1.5);
  const auto clipped = grad_of(x);
  const std::vector<double> expected{-1.5, -1, 0, 0.5, 1.5, 0, -1.5, 1.5};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (i != 5) {
      EXPECT_EQ(clipped[i], expected[i]);
    }
  }
  EXPECT_TRUE(std::isnan(clipped[5]));
}

TEST(ClipGrad, TheSameBitsForAnyNumberOfThreads) {
  const int saved = get_num_threads();
  std::vector<double> norms;
  for (int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    for (double p : {1.0, 2.0, 3.0}) norms.push_back(nn::utils::get_total_norm(assorted(), p).item());
  }
  set_num_threads(saved);
  for (std::size_t i = 3; i < norms.size(); ++i) EXPECT_EQ(norms[i], norms[i % 3]);
}

TEST(ClipGrad, ATransposedGradientIsClippedToo) {
  Tensor x = zeros({2, 3}, {.dtype = kFloat64, .requires_grad = true});
  x.set_grad(tensor({{3.0, 0.0}, {0.0, 0.0}, {0.0, 4.0}}, {.dtype = kFloat64}).t());
  ASSERT_FALSE(x.grad().is_contiguous());
  EXPECT_DOUBLE_EQ(nn::utils::clip_grad_norm_(x, 0.5).item(), 5);
  EXPECT_NEAR(grad_of(x)[5], 0.4, 1e-6);
}

TEST(ClipGrad, RefusesWhatMakesNoSense) {
  const Tensor x = parameter({1, kInf}, "fc.weight");
  EXPECT_EQ(message_of([&] { nn::utils::clip_grad_norm_(x, 1, 2, true); }),
            "clip_grad_norm_: the norm must be finite, got inf, from 'fc.weight'");
  EXPECT_EQ(grad_of(x)[0], 1);
  EXPECT_THROW(nn::utils::clip_grad_norm_(x, -1), ValueError);
  EXPECT_THROW(nn::utils::clip_grad_norm_(x, std::nan("")), ValueError);
  EXPECT_THROW(nn::utils::clip_grad_norm_(x, 1, std::nan("")), ValueError);
  EXPECT_THROW(nn::utils::clip_grad_norm_(x, 1, std::nan("")), ValueError);
  EXPECT_THROW(nn::utils::clip_grad_value_(x, std::nan("")), ValueError);
  EXPECT_THROW(nn::utils::get_total_norm(tensor({1, 2})), DtypeError);
  // Without the check the norm goes on, as in PyTorch.
  nn::utils::clip_grad_norm_(x, 1);
  EXPECT_EQ(grad_of(x)[0], 0);
  EXPECT_TRUE(std::isnan(grad_of(x)[1]));
}

TEST(Clipping, OfTheWholeAndOfEachGroup) {
  for (bool per_group : {false, true}) {
    Tensor a = parameter({3, 0}), b = parameter({0, 4}), c = parameter({0.5});
    optim::SGD opt({{.params = {a, b}}, {.params = c}}, {.lr = 1});
    opt.set_clipping({.max_norm = 1, .per_group = per_group});
    EXPECT_TRUE(opt.step());
    const double whole = std::sqrt(25.25);
    if (per_group) {
      EXPECT_EQ(opt.grad_norms(), (std::vector<double>{5, 0.5}));
    } else {
      EXPECT_EQ(opt.grad_norms(), std::vector<double>{whole});
    }
    const double ab = per_group ? 5 : whole;
    EXPECT_NEAR(a.to_vector<double>()[0], -3 / ab, 1e-6);
    EXPECT_NEAR(b.to_vector<double>()[1], -4 / ab, 1e-6);
    EXPECT_NEAR(c.item(), per_group ? -0.5 : -0.5 / whole, 1e-6);
    opt.remove_clipping();
    opt.step();
    EXPECT_TRUE(opt.grad_norms().empty());
  }
}

TEST(Clipping, ValuesComeBeforeTheNorm) {
  Tensor x = parameter({30, -4});
  optim::SGD opt(x, {.lr = 1});
  opt.set_clipping({.max_norm = 2.5, .max_value = 3});
  opt.step();
  EXPECT_NEAR(opt.grad_norms()[0], std::sqrt(18), 1e-12);
  EXPECT_NEAR(x.to_vector<double>()[0], -2.5 / std::sqrt(2), 1e-6);
}

TEST(Clipping, FrozenParametersDoNotCount) {
  nn::Linear net(2, 2);
  for (Tensor& p : net.parameters()) p.set_grad(ones(p.sizes()));
  optim::SGD opt(net, {.lr = 1});
  opt.set_clipping({.max_norm = 100});
  nn::freeze(net, "bias");
  net.bias.set_grad(full({2}, std::nan("")));
  EXPECT_TRUE(opt.step());
  EXPECT_EQ(opt.grad_norms(), std::vector<double>{2});
}

class NonFiniteGradient : public testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Clipping, NonFiniteGradient, testing::Values(std::nan(""), kInf, -kInf));

TEST_P(NonFiniteGradient, IsAnErrorThatNamesItAndChangesNothing) {
  for (bool per_group : {false, true}) {
    Tensor a = parameter({1, 2}, "encoder.weight"), b = parameter({3}, "decoder.bias");
    optim::Adam opt({{.params = a}, {.params = b}});
    opt.set_clipping({.max_norm = 1, .max_value = 0.1, .per_group = per_group});
    opt.step();
    opt.step();
    const auto before = a.to_vector<double>();
    a.set_grad(tensor({7.0, 8.0}, {.dtype = kFloat64}));
    b.set_grad(tensor({GetParam()}, {.dtype = kFloat64}));
    const std::string said = message_of([&] { opt.step(); });
    EXPECT_EQ(said.rfind("Adam: the gradient of parameter 'decoder.bias' must be finite, its step 3 got ", 0), 0u)
        << said;
    EXPECT_EQ(a.to_vector<double>(), before);
    EXPECT_EQ(grad_of(a), (std::vector<double>{7, 8}));
    EXPECT_EQ(opt.steps_of(a), 2);
  }
}

TEST_P(NonFiniteGradient, SkipsTheStepAsIfItHadNotBeen) {
  const auto train = [&](bool with_bad_steps) {
    Tensor a = parameter({1, 2}), b = parameter({3});
    optim::Adam opt({{.params = a}, {.params = b}}, {.lr = 0.1, .amsgrad = true});
    optim::lr_scheduler::ExponentialLR scheduler(opt, {.gamma = 0.9});
    opt.set_clipping({.max_norm = 1, .nonfinite = optim::NonFinite::skip});
    int hooks = 0;
    opt.register_step_post_hook([&](optim::Optimizer&) { ++hooks; });
    for (int i = 0; i < 5; ++i) {
      if (with_bad_steps) {
        b.set_grad(tensor({GetParam()}, {.dtype = kFloat64}));
        EXPECT_FALSE(opt.step());
      }
      a.set_grad(tensor({1.0, 0.5 * i}, {.dtype = kFloat64}));
      b.set_grad(tensor({2.0}, {.dtype = kFloat64}));
      if (opt.step()) scheduler.step();
    }
    EXPECT_EQ(hooks, 5);
    EXPECT_EQ(opt.skipped_steps(), with_bad_steps ? 5 : 0);
    EXPECT_EQ(scheduler.last_epoch(), 5);
    EXPECT_EQ(opt.steps_of(b), 5);
    return std::vector{a.detach(), b.detach(), opt.state_of(a, "exp_avg_sq"), opt.state_of(b, "max_exp_avg_sq")};
  };
  const auto clean = train(false), skipping = train(true);
  for (std::size_t i = 0; i < clean.size(); ++i) EXPECT_TRUE(equal(clean[i], skipping[i])) << i;
}

TEST_P(NonFiniteGradient, PropagatesWhereAsked) {
  Tensor a = parameter({1, 2}), b = parameter({GetParam()});
  optim::SGD opt({a, b}, {.lr = 1});
  opt.set_clipping({.nonfinite = optim::NonFinite::propagate});
  EXPECT_TRUE(opt.step());
  EXPECT_EQ(a.to_vector<double>()[0], -1);
  EXPECT_FALSE(std::isfinite(b.item()));
}

TEST(Clipping, ANormThatOverflowsIsNoNonFiniteGradient) {
  Tensor x = parameter({1e200, 1});
  optim::SGD opt(x, {.lr = 1});
  opt.set_clipping({.max_norm = 1});
  EXPECT_TRUE(opt.step());
  EXPECT_EQ(x.to_vector<double>()[0], 0);  // the factor is 0, as PyTorch's is
}

TEST(Accumulation, PartsOfABatchAddUpToIt) {
  manual_seed(2);
  nn::Linear net(3, 2, {.dtype = kFloat64});
  const Tensor x = randn({8, 3}, {.dtype = kFloat64});
  optim::SGD opt(net);
  net(x).pow(2).mean().backward();
  std::vector<Tensor> whole;
  for (Tensor& p : net.parameters()) whole.push_back(p.grad().clone());
  opt.zero_grad();
  for (std::int64_t i = 0; i < 4; ++i) (net(x.narrow(0, 2 * i, 2)).pow(2).mean() / 4).backward();
  for (std::size_t i = 0; i < whole.size(); ++i)
    EXPECT_TRUE(allclose(net.parameters()[i].grad(), whole[i], 1e-13, 1e-15));
}

// As in PyTorch: the norm of the norms; zeros make a negative one zero, and order 0 counts tensors.
TEST(ClipGradNorm, TakesOrdersOfZeroAndBelow) {
  const std::vector<Tensor> some{parameter({1, 2}), parameter({0, 3}), parameter({0, 0})};
  const std::vector<Tensor> none_zero{parameter({1, 2}), parameter({-4, 3})};
  const auto norm = [](const std::vector<Tensor>& all, double p) {
    return nn::utils::clip_grad_norm_(all, 1e9, p).item();
  };
  EXPECT_EQ(norm(some, 0), 2);
  EXPECT_EQ(norm(some, -1), 0);
  EXPECT_NEAR(norm(none_zero, -1), 0.48, 1e-6);
  EXPECT_NEAR(norm(none_zero, -2), 0.8381, 1e-4);
  EXPECT_EQ(norm(none_zero, -kInf), 1);
  EXPECT_EQ(norm({}, -1), 0);
  EXPECT_EQ(grad_of(none_zero[1]), (std::vector<double>{-4, 3}));
  const std::vector<Tensor> broken{parameter({kInf, kInf}), parameter({kInf})};
  EXPECT_THROW(nn::utils::clip_grad_norm_(broken, 1, -1, true), ValueError);
  EXPECT_EQ(norm(broken, 0), 2);
  EXPECT_THROW(norm(some, std::nan("")), ValueError);
}

TEST(Clipping, LimitsAreChecked) {
  optim::SGD opt(parameter({1}));
  EXPECT_EQ(message_of([&] { opt.set_clipping({.max_norm = -1}); }),
            "SGD.set_clipping: max_norm must be finite and at least 0, got -1");
  for (double bad : {std::nan(""), kInf, -kInf}) {
    EXPECT_THROW(opt.set_clipping({.max_norm = bad}), ValueError);
    EXPECT_THROW(opt.set_clipping({.max_value = bad}), ValueError);
    if (bad != kInf) {
      EXPECT_THROW(opt.set_clipping({.max_norm = 1, .norm_type = bad}), ValueError);
    }
  }
  EXPECT_FALSE(opt.clipping());
}

}  // namespace
}  // namespace gradus
