// Correct programs, most of them unusual: the audit finds nothing above advice in any of them.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

namespace F = nn::functional;
using optim::Audit;
using optim::Severity;

struct Net : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8)), b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(a(x))); }
};

struct Correct : ::testing::Test {
  void SetUp() override {
    manual_seed(7);
    x = randn({16, 4});
    y = randint(0, 3, {16});
  }
  Tensor loss(nn::Module& net) { return F::cross_entropy(net(x), y); }
  static void sound(const Audit& audit) {
    const optim::AuditReport report = audit.report();
    EXPECT_FALSE(report.has(Severity::wasteful)) << report.to_string();
    EXPECT_GT(report.steps, 0);
  }
  Tensor x, y;
};

TEST_F(Correct, PlainLoopInPyTorchsOrder) {
  Net net;
  optim::Adam opt(net.parameters(), {.lr = 1e-3});
  Audit audit(net, {opt});
  for (int i = 0; i < 40; ++i) {
    opt.zero_grad();
    loss(net).backward();
    opt.step();
  }
  sound(audit);
}

TEST_F(Correct, JointlyAndThenOnePartAlone) {
  Net net;
  optim::Adam joint(net), part(net.b);
  Audit audit(net, {joint, part});
  for (int i = 0; i < 20; ++i) joint.minimize(loss(net));
  sound(audit);
  for (int i = 0; i < 20; ++i) part.minimize(loss(net));
  sound(audit);
}

TEST_F(Correct, AlternatingOptimizersOfOneNetwork) {
  Net net;
  optim::SGD all(net, {.lr = 0.1}), part(net.a, {.lr = 0.1});
  Audit audit(net, {all, part});
  for (int i = 0; i < 10; ++i) {
    all.minimize(loss(net));
    part.minimize(square(net(x)).mean());
  }
  sound(audit);
}

TEST_F(Correct, SharedLossAndAccumulationOfOne) {
  Net net;
  optim::SGD a(net.a, {.lr = 0.1}), b(net.b, {.lr = 0.1});
  Audit audit(net, {a, b});
  for (int i = 0; i < 12; ++i) {
    a.zero_grad();
    if (i % 2 == 0) b.zero_grad();
    (loss(net) / 2).backward();
    if (i % 2 == 1) b.step();
    a.step();
  }
  sound(audit);
}

TEST_F(Correct, SharedTrunkOfTwoHeads) {
  nn::Linear trunk(4, 8), left(8, 3), right(8, 3);
  auto ps = trunk.parameters();
  for (nn::Linear* head : {&left, &right})
    for (const Tensor& p : head->parameters()) ps.push_back(p);
  optim::SGD opt(ps, {.lr = 0.1});
  Audit audit({{"trunk", trunk}, {"left", left}, {"right", right}}, {opt});
  for (int i = 0; i < 8; ++i) {
    const Tensor h = relu(trunk(x));
    opt.minimize(F::cross_entropy(left(h), y) + F::cross_entropy(right(h), y));
  }
  sound(audit);
}

TEST_F(Correct, LearntLossWeightAndAHeadThatIsNotListed) {
  Net net;
  nn::Linear head(3, 3);
  Tensor s = zeros({}, {.requires_grad = true});
  auto ps = net.parameters();
  for (const Tensor& p : head.parameters()) ps.push_back(p);
  ps.push_back(s);
  optim::SGD opt(ps, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 6; ++i) opt.minimize(F::cross_entropy(head(net(x)), y) * exp(-s) + s);
  sound(audit);
}

TEST_F(Correct, TheCriticsAndGeneratorsOfWganGp) {
  nn::Linear G(4, 4);
  nn::Sequential D(nn::Linear(4, 8), nn::LeakyReLU(0.2), nn::Linear(8, 1));
  optim::Adam g(G), d(D);
  Audit audit({{"G", G}, {"D", D}}, {g, d});
  for (int i = 0; i < 6; ++i) {
    for (int k = 0; k < 3; ++k) {
      Tensor fake;
      {
        const NoGrad guard;
        fake = G(randn({16, 4}));
      }
      Tensor between = (fake + x) * 0.5;
      between.requires_grad_();
      const Tensor slope = autograd::grad({D(between).sum()}, {between}, {}, {.create_graph = true})[0];
      const Tensor penalty = square(slope.norm(2, 1) - 1).mean();
      d.minimize(D(fake).mean() - D(x).mean() + penalty * 10);
    }
    g.minimize(-D(G(randn({16, 4}))).mean());
  }
  sound(audit);
}

TEST_F(Correct, DeepQWithATargetNetwork) {
  Net net;
  Net target = nn::clone(net);
  optim::Adam opt(net);
  Audit audit({{"net", net}, {"target", target}}, {opt});
  for (int i = 0; i < 20; ++i) {
    Tensor goal;
    {
      const NoGrad guard;
      goal = amax(target(x), 1);
    }
    const Tensor q = net(x).gather(1, y.unsqueeze(1)).squeeze(1);
    opt.minimize(F::smooth_l1_loss(q, goal * 0.9 + 1));
    if (i % 5 == 4) target.load_state_dict(net.state_dict());
  }
  sound(audit);
}

TEST_F(Correct, ExponentialAverageByHandAndByTheLibrary) {
  Net net;
  Net mean = nn::clone(net);
  mean.requires_grad_(false);
  optim::swa_utils::AveragedModel<Net> ema(net, {.multi_avg_fn = optim::swa_utils::get_ema_multi_avg_fn(0.9)});
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit({{"net", net}, {"mean", mean}, {"ema", ema}}, {opt});
  for (int i = 0; i < 12; ++i) {
    opt.minimize(loss(net));
    ema.update_parameters(net);
    const NoGrad guard;
    auto to = mean.parameters();
    const auto from = net.parameters();
    for (std::size_t k = 0; k < to.size(); ++k) to[k].mul_(0.9).add_(from[k], 0.1);
  }
  sound(audit);
}

TEST_F(Correct, BootstrapYourOwnLatent) {
  struct Encoder : nn::Module {
    nn::Linear a = add("a", nn::Linear(4, 8));
    nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(8));
    Tensor forward(const Tensor& x) override { return norm(a(x)); }
  };
  Encoder online;
  nn::Linear predictor(8, 8);
  Encoder teacher = nn::clone(online);
  teacher.requires_grad_(false);
  auto ps = online.parameters();
  for (const Tensor& p : predictor.parameters()) ps.push_back(p);
  optim::Adam opt(ps);
  Audit audit({{"online", online}, {"predictor", predictor}, {"teacher", teacher}}, {opt});
  for (int i = 0; i < 8; ++i) {
    Tensor goal;
    {
      const NoGrad guard;
      goal = teacher(x + randn_like(x) * 0.1);
    }
    opt.minimize(F::mse_loss(predictor(online(x)), goal));
    const NoGrad guard;
    auto to = teacher.parameters();
    const auto from = online.parameters();
    for (std::size_t k = 0; k < to.size(); ++k) to[k].mul_(0.9).add_(from[k], 0.1);
  }
  sound(audit);
}

TEST_F(Correct, SharpnessAwareMinimisation) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) {
    opt.zero_grad();
    loss(net).backward();
    std::vector<Tensor> steps;
    {
      const NoGrad guard;
      for (Tensor& p : net.parameters()) {
        steps.push_back(p.grad() * 0.05);
        p.add_(steps.back());
      }
    }
    opt.zero_grad();
    loss(net).backward();
    {
      const NoGrad guard;
      auto ps = net.parameters();
      for (std::size_t k = 0; k < ps.size(); ++k) ps[k].sub_(steps[k]);
    }
    opt.step();
  }
  sound(audit);
}

TEST_F(Correct, ModelAgnosticMetaLearning) {
  nn::Linear net(4, 3);
  optim::Adam opt(net);
  Audit audit(net, {opt});
  for (int i = 0; i < 6; ++i) {
    Tensor total;
    for (int task = 0; task < 2; ++task) {
      const Tensor inner = F::cross_entropy(net(x), y);
      const auto g = autograd::grad({inner}, {net.weight, net.bias}, {}, {.create_graph = true});
      const Tensor fast = x.matmul((net.weight - g[0] * 0.1).t()) + (net.bias - g[1] * 0.1);
      const Tensor outer = F::cross_entropy(fast, y);
      total = total.defined() ? total + outer : outer;
    }
    opt.minimize(total / 2);
  }
  sound(audit);
}

TEST_F(Correct, AdversarialTraining) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) {
    Tensor attack = x.clone();
    attack.requires_grad_();
    opt.zero_grad();
    F::cross_entropy(net(attack), y).backward();
    const Tensor worse = (attack.detach() + sign(attack.grad()) * 0.01);
    opt.zero_grad();
    F::cross_entropy(net(worse), y).backward();
    opt.step();
  }
  sound(audit);
}

TEST_F(Correct, LbfgsAfterAdam) {
  Net net;
  optim::Adam adam(net);
  optim::LBFGS lbfgs(net, {.lr = 0.5, .max_iter = 5, .line_search_fn = "strong_wolfe"});
  Audit audit(net, {adam, lbfgs});
  for (int i = 0; i < 10; ++i) adam.minimize(loss(net));
  for (int i = 0; i < 3; ++i) {
    lbfgs.step([&] {
      lbfgs.zero_grad();
      const Tensor value = loss(net);
      value.backward();
      return value;
    });
  }
  sound(audit);
}

TEST_F(Correct, TiedWeights) {
  struct Tied : nn::Module {
    nn::Linear a = add("a", nn::Linear(4, 4)), b = add("b", nn::Linear(4, 4));
    nn::Linear head = add("head", nn::Linear(4, 3));
    Tied() { b.weight = a.weight; }
    Tensor forward(const Tensor& x) override { return head(b(tanh(a(x)))); }
  } net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) opt.minimize(loss(net));
  sound(audit);
}

TEST_F(Correct, ScheduleFreeAndLookahead) {
  {
    Net net;
    optim::AdamWScheduleFree opt(net);
    Audit audit(net, {opt});
    for (int i = 0; i < 6; ++i) {
      net.train();
      opt.minimize(loss(net));
      net.eval();
      const NoGrad guard;
      loss(net);
    }
    sound(audit);
  }
  Net net;
  optim::SGD inner(net, {.lr = 0.1});
  optim::Lookahead opt(inner, {.k = 2});
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) opt.minimize(loss(net));
  sound(audit);
}

TEST_F(Correct, PolicyGradient) {
  Net net;
  optim::Adam opt(net);
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) {
    const Tensor logs = log_softmax(net(x), 1);
    const Tensor action = randint(0, 3, {16});
    const Tensor reward = randn({16});
    const Tensor taken = logs.gather(1, action.unsqueeze(1)).squeeze(1);
    opt.minimize(-(taken * (reward - reward.mean())).mean());
  }
  sound(audit);
}

TEST_F(Correct, FineTuningWithAFrozenBackboneThatJoinsLater) {
  struct Backbone : nn::Module {
    nn::Linear a = add("a", nn::Linear(4, 8));
    nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(8));
    nn::Linear head = add("head", nn::Linear(8, 3));
    Tensor forward(const Tensor& x) override { return head(relu(norm(a(x)))); }
  } net;
  nn::freeze(net, "a");
  nn::freeze(net, "norm");
  optim::SGD opt(net.head, {.lr = 0.1, .momentum = 0.9});
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) {
    net.train();
    opt.minimize(loss(net));
  }
  sound(audit);
  nn::unfreeze(net);
  auto rest = net.a.parameters();
  for (const Tensor& p : net.norm.parameters()) rest.push_back(p);
  opt.add_param_group({.params = rest, .lr = 0.01});
  for (int i = 0; i < 8; ++i) opt.minimize(loss(net));
  sound(audit);
}

TEST_F(Correct, WarmUpFromZeroThenCosine) {
  Net net;
  optim::AdamW opt(net);
  optim::lr_scheduler::WarmupCosineLR schedule(opt, {.warmup_steps = 5, .total_steps = 30});
  Audit audit(net, {opt});
  for (int i = 0; i < 30; ++i) {
    opt.minimize(loss(net));
    schedule.step();
    sound(audit);
  }
}

TEST_F(Correct, SchedulesThatHoldOthers) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  optim::lr_scheduler::LinearLR warm(opt, {.start_factor = 0.1, .total_iters = 4});
  optim::lr_scheduler::CosineAnnealingLR cosine(opt, {.T_max = 16});
  optim::lr_scheduler::SequentialLR both(opt, {warm, cosine}, {4});
  Audit audit(net, {opt});
  for (int i = 0; i < 20; ++i) {
    opt.minimize(loss(net));
    both.step();
  }
  EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
}

TEST_F(Correct, GradientsSetByHandAndAPairwiseDistance) {
  nn::Linear net(4, 1);
  optim::SGD opt(net, {.lr = 0.01});
  Audit audit(net, {opt});
  for (int i = 0; i < 6; ++i) {
    const Tensor out = net(x).squeeze(1);
    const Tensor apart = out.unsqueeze(1) - out;  // meant
    const auto g = autograd::grad({square(apart).mean()}, {net.weight, net.bias});
    net.weight.set_grad(g[0]);
    net.bias.set_grad(g[1]);
    opt.step();
  }
  sound(audit);
}

TEST_F(Correct, ValidationDoneProperly) {
  struct Dropping : nn::Module {
    nn::Linear a = add("a", nn::Linear(4, 8));
    nn::Dropout drop = add("drop", nn::Dropout(0.5));
    nn::Linear b = add("b", nn::Linear(8, 3));
    Tensor forward(const Tensor& x) override { return b(drop(relu(a(x)))); }
  } net;
  optim::Adam opt(net);
  Audit audit(net, {opt});
  for (int epoch = 0; epoch < 4; ++epoch) {
    net.train();
    for (int i = 0; i < 4; ++i) opt.minimize(loss(net));
    net.eval();
    const NoGrad guard;
    loss(net);
    net(x).argmax(1);
  }
  sound(audit);
}

TEST_F(Correct, RecurrentNetworkWithTruncation) {
  nn::LSTM net(4, 8);
  nn::Linear head(8, 3);
  auto ps = net.parameters();
  for (const Tensor& p : head.parameters()) ps.push_back(p);
  optim::Adam opt(ps);
  Audit audit({{"lstm", net}, {"head", head}}, {opt});
  nn::LSTMState state;
  for (int i = 0; i < 8; ++i) {
    auto [out, next] = net(randn({5, 16, 4}), state);
    opt.minimize(F::cross_entropy(head(out.select(0, 4)), y));
    state = {next.h.detach(), next.c.detach()};
  }
  sound(audit);
}

}  // namespace
}  // namespace gradus
