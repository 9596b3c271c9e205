// Lookahead, against its algorithm on single numbers.
#include <gradus/nn/containers.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim.h>
#include <gradus/optim/control/audit.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

Tensor leaf(std::initializer_list<double> values) { return tensor(values, {.dtype = kFloat64, .requires_grad = true}); }

// The gradient of (x - 3)^2 / 2.
void set_gradients(const optim::Optimizer& opt) {
  for (Tensor& p : opt.parameters()) p.set_grad(p.detach() - 3);
}

TEST(Lookahead, FollowsItsAlgorithm) {
  for (double alpha : {0.0, 0.3, 0.5, 0.8, 1.0}) {
    for (std::int64_t k : {1, 2, 5}) {
      Tensor p = leaf({1, -2, 10});
      optim::SGD sgd(p, {.lr = 0.1, .momentum = 0.9});
      optim::Lookahead opt(sgd, {.k = k, .alpha = alpha});
      std::vector<double> fast{1, -2, 10}, slow = fast, momentum(3);
      for (int t = 1; t <= 23; ++t) {
        set_gradients(opt);
        EXPECT_TRUE(opt.step());
        for (std::size_t i = 0; i < 3; ++i) {
          momentum[i] = 0.9 * momentum[i] + (fast[i] - 3);
          fast[i] -= 0.1 * momentum[i];
          if (t % k == 0) fast[i] = slow[i] = slow[i] + alpha * (fast[i] - slow[i]);
          EXPECT_NEAR(p.to_vector<double>()[i], fast[i], 1e-12);
        }
      }
      EXPECT_NEAR(opt.state_of(p, "slow_param").to_vector<double>()[2], slow[2], 1e-12);
    }
  }
}

TEST(Lookahead, SaveLoadContinueGivesTheSameBits) {
  const auto train = [](nn::Sequential& net, optim::Optimizer& opt, int first, int last) {
    for (int i = first; i < last; ++i) {
      Generator generator(static_cast<std::uint64_t>(i));
      opt.minimize(net(randn({5, 3}, {}, &generator)).pow(2).sum());
    }
  };
  manual_seed(1);
  nn::Sequential whole(nn::Linear(3, 4), nn::Linear(4, 2));
  nn::Sequential stopped = nn::clone(whole), resumed = nn::clone(whole);
  optim::Adam a(whole, {.lr = 0.01}), b(stopped, {.lr = 0.01}), c(resumed);
  optim::Lookahead all(a, {.k = 4}), until(b, {.k = 4}), from(c);
  train(whole, all, 0, 17);
  train(stopped, until, 0, 10);  // in the middle of a round
  resumed.load_state_dict(stopped.state_dict());
  EXPECT_EQ(from.load_state_dict(until.state_dict()).loaded.size(), 4u);
  EXPECT_EQ(std::get<std::int64_t>(from.option(0, "lookahead_k")), 4);
  EXPECT_EQ(*c.param_groups()[0].lr, 0.01);
  train(resumed, from, 10, 17);
  for (const auto& [name, tensor] : whole.state_dict())
    EXPECT_TRUE(equal(tensor, resumed.state_dict().at(name))) << name;
}

TEST(Lookahead, ARefusedLoadChangesNothing) {
  Tensor p = leaf({1, 2});
  optim::SGD sgd(p, {.lr = 0.1, .momentum = 0.9});
  optim::Lookahead opt(sgd, {.k = 2, .alpha = 0.25});
  set_gradients(opt);
  opt.step();
  const auto refused = [&](const std::function<void(optim::OptimizerState&)>& damage) {
    optim::OptimizerState state = opt.state_dict();
    for (auto& group : state.groups) {
      group.options["lr"] = 0.5;
      group.options["lookahead_alpha"] = 0.75;
    }
    damage(state);
    EXPECT_THROW(opt.load_state_dict(state), ValueError);
    EXPECT_EQ(*sgd.param_groups()[0].lr, 0.1);
    EXPECT_EQ(std::get<double>(opt.option(0, "lookahead_alpha")), 0.25);
    EXPECT_EQ(opt.state_of(p, "slow_param").to_vector<double>(), (std::vector<double>{1, 2}));
  };
  refused([](auto& s) { s.optimizer = "SGD"; });
  refused([](auto& s) { s.groups[0].options["lookahead_k"] = std::int64_t{0}; });
  refused([](auto& s) { s.groups[0].options["lookahead_alpha"] = std::nan(""); });
  refused([](auto& s) { s.groups[0].options["momentum"] = -1.0; });
  refused([](auto& s) { s.params.begin()->second.tensors["slow_param"] = zeros({3}, {.dtype = kFloat64}); });
  refused([](auto& s) { s.params.begin()->second.tensors["slow_param"] = zeros({2}, {.dtype = kInt64}); });
  refused([](auto& s) { s.params.begin()->second.numbers["lookahead_step"] = std::nan(""); });
  refused([](auto& s) { s.params["other"] = s.params.begin()->second; });
}

TEST(Lookahead, GroupsComeAndGoAndFrozenOnesStay) {
  Tensor a = leaf({1}), b = leaf({1}), c = leaf({1});
  optim::SGD sgd({{.params = a}, {.params = b}}, {.lr = 0.5});
  optim::Lookahead opt(sgd, {.k = 2, .alpha = 0.5});
  const auto step = [&] {
    set_gradients(opt);
    opt.step();
  };
  step();  // 2, 2
  sgd.add_param_group({.params = c});
  gradus::freeze(b);
  step();  // a: 2.5, and half way back; c begins: 2
  EXPECT_EQ(a.item(), 1.75);
  EXPECT_EQ(b.item(), 2);
  EXPECT_EQ(c.item(), 2);
  sgd.remove_param_group(0);
  step();
  EXPECT_EQ(a.item(), 1.75);
  EXPECT_EQ(c.item(), 1.75);
  EXPECT_FALSE(opt.state_of(a, "slow_param").defined());
}

TEST(Lookahead, IsAnOptimizerLikeAnyOther) {
  Tensor p = leaf({1});
  optim::SGD sgd(p, {.lr = 1});
  optim::Lookahead opt(sgd, {.k = 1, .alpha = 0.5});
  EXPECT_STREQ(opt.name(), "Lookahead(SGD)");
  optim::lr_scheduler::StepLR rate(opt, {.step_size = 1, .gamma = 0.5});
  optim::lr_scheduler::StepLR alpha(opt, {.step_size = 1, .gamma = 0.5, .option = "lookahead_alpha"});
  rate.step();
  alpha.step();
  EXPECT_EQ(*sgd.param_groups()[0].lr, 0.5);
  EXPECT_EQ(std::get<double>(opt.option(0, "lookahead_alpha")), 0.25);
  opt.set_option(0, "lookahead_k", std::int64_t{7});
  EXPECT_EQ(std::get<std::int64_t>(opt.option(0, "lookahead_k")), 7);

  // Skipped as a whole.
  opt.set_clipping({.max_norm = 1, .nonfinite = optim::NonFinite::skip});
  opt.set_option(0, "lookahead_k", std::int64_t{2});
  p.set_grad(full({1}, std::nan(""), {.dtype = kFloat64}));
  EXPECT_FALSE(opt.step());
  EXPECT_EQ(p.item(), 1);
  EXPECT_FALSE(opt.state_of(p, "slow_param").defined());

  sgd.set_clipping({.max_norm = 1});
  p.set_grad(ones({1}, {.dtype = kFloat64}));
  EXPECT_THROW(opt.step(), ValueError);
}

TEST(Lookahead, AnAuditSeesOneOptimizer) {
  nn::Sequential net(nn::Linear(3, 3));
  optim::Adam adam(net);
  optim::Lookahead opt(adam, {.k = 2});
  optim::lr_scheduler::StepLR scheduler(opt, {.step_size = 3});
  int hooks = 0;
  adam.register_step_post_hook([&](optim::Optimizer&) { ++hooks; });
  optim::Audit audit(net, {opt});
  for (int i = 0; i < 5; ++i) {
    opt.minimize(net(randn({4, 3})).pow(2).sum());
    scheduler.step();
  }
  const auto report = audit.report();
  EXPECT_TRUE(report.findings.empty()) << report.to_string();
  EXPECT_EQ(report.rows[0].state_bytes, 3 * 9 * 4);  // two of Adam's, and the slow weights
  EXPECT_EQ(hooks, 5);
}

TEST(Lookahead, PassesTheClosureOn) {
  Tensor p = leaf({1, -2});
  optim::LBFGS lbfgs(p, {.max_iter = 1});
  optim::Lookahead opt(lbfgs, {.k = 2, .alpha = 0.5});
  const auto loss = [&] {
    opt.zero_grad();
    Tensor value = ((p - 3) * (p - 3)).sum();
    value.backward();
    return value;
  };
  opt.step(loss);
  const double first = p.to_vector<double>()[0];
  EXPECT_GT(first, 1);
  opt.step(loss);
  EXPECT_GT(opt.state_of(p, "slow_param").to_vector<double>()[0], 1);
  EXPECT_TRUE(equal(p.detach(), opt.state_of(p, "slow_param")));
  EXPECT_THROW(opt.step(), ValueError);
}

TEST(Lookahead, ChecksItsOptionsAndItsOptimizer) {
  auto sgd = std::make_unique<optim::SGD>(leaf({1}));
  for (double bad : {-0.1, 1.1, std::nan(""), double{INFINITY}}) {
    EXPECT_THROW(optim::Lookahead(*sgd, {.alpha = bad}), ValueError);
    optim::Lookahead opt(*sgd);
    EXPECT_THROW(opt.set_option(0, "lookahead_alpha", bad), ValueError);
    EXPECT_THROW(opt.set_option(0, "lookahead_k", bad), ValueError);
  }
  EXPECT_THROW(optim::Lookahead(*sgd, {.k = 0}), ValueError);
  optim::Lookahead opt(*sgd);
  sgd.reset();
  EXPECT_THROW(opt.step(), ValueError);
}

}  // namespace
}  // namespace gradus
