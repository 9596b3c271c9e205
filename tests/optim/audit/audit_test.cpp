// Each finding is provoked by a program that makes the mistake; correct programs yield none.
#include <gradus/gradus.h>
#include <gradus/optim/control/audit.h>
#include <gtest/gtest.h>

#include "core/tensor_access.h"

namespace gradus {
namespace {

using optim::Audit;
using optim::AuditReport;
using Names = std::vector<std::string>;

struct Net : nn::Module {
  nn::Linear encoder = add("encoder", nn::Linear(3, 4));
  nn::Linear decoder = add("decoder", nn::Linear(4, 2));
  Tensor forward(const Tensor& x) override { return decoder(relu(encoder(x))); }
};

const Names kEncoder = {"encoder.weight", "encoder.bias"}, kDecoder = {"decoder.weight", "decoder.bias"};

class AuditTest : public ::testing::Test {
 protected:
  void SetUp() override { manual_seed(3); }
  Tensor loss(nn::Module& m) { return square(m(x)).sum(); }
  Net net;
  Tensor x = randn({5, 3}) + 1;
};

// The one finding of a report, which must be of this rule.
Names only(const AuditReport& report, const std::string& rule) {
  EXPECT_EQ(report.findings.size(), 1U) << report.to_string();
  EXPECT_TRUE(report.has(rule)) << report.to_string();
  if (!report.has(rule)) return {};
  EXPECT_FALSE(report.findings[0].remedy.empty());
  return report.findings[0].parameters;
}

TEST_F(AuditTest, ACorrectProgramYieldsNothing) {
  optim::SGD opt(net.parameters(), {.lr = 0.01, .momentum = 0.9});
  Audit audit(net, {opt});
  for (int i = 0; i < 4; ++i) {
    opt.zero_grad(i % 2 == 0);
    loss(net).backward();
    if (i == 2) loss(net).backward();  // accumulation is no mistake
    opt.step();
  }
  const AuditReport report = audit.report();
  EXPECT_TRUE(report.findings.empty()) << report.to_string();
  ASSERT_EQ(report.rows.size(), 4U);
  const optim::AuditRow& row = report.rows[0];
  EXPECT_EQ(row.name, "encoder.weight");
  EXPECT_EQ(row.sizes, (Shape{4, 3}));
  EXPECT_EQ(row.status, optim::AuditRow::Status::trainable);
  ASSERT_EQ(row.owners.size(), 1U);
  EXPECT_EQ(row.owners[0].optimizer, "SGD");
  EXPECT_EQ(row.owners[0].lr, 0.01);
  EXPECT_EQ(row.state_bytes, 4 * 3 * 4);
  EXPECT_NEAR(*row.gradient_norm, norm(net.encoder.weight.grad()).item(), 1e-5);
  EXPECT_NEAR(*row.update_norm, 0.01 * norm(opt.state_of(net.encoder.weight, "momentum_buffer")).item(), 1e-5);
  EXPECT_NE(report.to_string().find("nothing found"), std::string::npos);
}

// It is a gradient sink, so that what a program's own hooks make of a gradient is what it sees.
TEST_F(AuditTest, RegistersNoHooksAndSeesWhatIsStored) {
  optim::SGD opt(net.parameters(), {.lr = 0.01});
  Audit audit(net, {opt});
  EXPECT_TRUE(net.encoder.weight.impl()->extras->hooks.empty());
  net.encoder.weight.register_hook([](const Tensor& g) { return g / 0.0; });
  opt.zero_grad();
  loss(net).backward();
  EXPECT_TRUE(audit.report().has("not-finite")) << audit.report().to_string();
}

TEST_F(AuditTest, CorrectProgramsWithTwoOptimizersYieldNothing) {
  optim::Adam whole(net.parameters()), part(net.decoder.parameters());
  {
    Audit audit(net, {whole, part});
    for (int i = 0; i < 3; ++i) whole.minimize(loss(net));
    for (int i = 0; i < 3; ++i) part.minimize(loss(net));
    EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
  }
  optim::SGD a(net.encoder.parameters()), b(net.decoder.parameters());
  Audit audit(net, {a, b});
  for (int i = 0; i < 6; ++i) {
    a.zero_grad();
    if (i % 2 == 0) b.zero_grad();  // b accumulates over two steps of a
    loss(net).backward();
    a.step();
    if (i % 2 == 1) b.step();
  }
  EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
}

TEST_F(AuditTest, Unowned) {
  optim::SGD opt(net.encoder.parameters());
  EXPECT_EQ(only(optim::audit(net, {opt}), "unowned"), kDecoder);
  nn::freeze(net.decoder);
  EXPECT_TRUE(optim::audit(net, {opt}).findings.empty());
  EXPECT_EQ(optim::audit(net, {opt}).rows[2].status, optim::AuditRow::Status::frozen);
  EXPECT_THROW(optim::audit({}, {opt}), ValueError);
}

TEST_F(AuditTest, TwoOwners) {
  optim::SGD a(net.parameters()), b(net.decoder.parameters());
  Audit audit(net, {a, b});
  a.zero_grad();
  loss(net).backward();
  a.step();
  b.step();
  EXPECT_EQ(only(audit.report(), "two-owners"), kDecoder);
}

TEST_F(AuditTest, TwoOwnersInTurnsWithGradientsOfTheirOwnAreMeant) {
  optim::SGD a(net.parameters()), b(net.decoder.parameters());
  Audit audit(net, {a, b});
  for (int i = 0; i < 2; ++i) {
    a.minimize(loss(net));
    b.minimize(loss(net));
  }
  EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
}

TEST_F(AuditTest, Detached) {
  optim::SGD opt(net.named_parameters());
  net.decoder = nn::Linear(4, 7);
  const AuditReport report = optim::audit(net, {opt});
  ASSERT_EQ(report.findings.size(), 2U) << report.to_string();
  EXPECT_EQ(report.findings[0].rule, "unowned");
  EXPECT_EQ(report.findings[1].rule, "detached");
  EXPECT_EQ(report.findings[1].parameters, kDecoder);
}

TEST_F(AuditTest, Unreached) {
  optim::SGD opt(net.parameters());
  Audit audit(net, {opt});
  opt.zero_grad();
  square(net.decoder(relu(net.encoder(x)).detach())).sum().backward();
  opt.step();
  EXPECT_EQ(only(audit.report(), "unreached"), kEncoder);
  opt.minimize(loss(net));
  EXPECT_TRUE(audit.report().findings.empty());
}

TEST_F(AuditTest, StaleGradientWithoutZeroGrad) {
  optim::SGD opt(net.parameters());
  Audit audit(net, {opt});
  for (int i = 0; i < 2; ++i) {
    loss(net).backward();
    opt.step();
  }
  EXPECT_EQ(only(audit.report(), "stale-gradient").size(), 4U);
}

TEST_F(AuditTest, StaleGradientWithoutBackward) {
  optim::SGD opt(net.parameters());
  Audit audit(net, {opt});
  opt.minimize(loss(net));
  opt.step();
  EXPECT_EQ(only(audit.report(), "stale-gradient").size(), 4U);
}

TEST_F(AuditTest, GradientsSetByHandAreNotStale) {
  optim::SGD opt(net.parameters());
  Audit audit(net, {opt});
  for (int i = 0; i < 2; ++i) {
    const auto gradients = autograd::grad({loss(net)}, opt.parameters());
    auto parameters = opt.parameters();
    for (std::size_t p = 0; p < parameters.size(); ++p) parameters[p].set_grad(gradients[p]);
    opt.step();
  }
  EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
}

struct Critic : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(2, 1));
  Tensor forward(const Tensor& y) override { return sigmoid(fc(y)); }
};

TEST_F(AuditTest, ForeignGradientThatStaysBehind) {
  Critic critic;
  optim::Adam g(net.parameters()), d(critic.parameters());
  Audit audit({{"G", net}, {"D", critic}}, {g, d});
  for (int i = 0; i < 2; ++i) {
    d.zero_grad();
    critic(net(x).detach()).sum().backward();
    d.step();
    g.zero_grad();
    critic(net(x)).sum().backward();  // reaches the critic, too
    g.step();
  }
  EXPECT_EQ(only(audit.report(), "gradient-on-the-way"), (Names{"D.fc.weight", "D.fc.bias"}));
}

TEST_F(AuditTest, ForeignGradientThatIsSteppedOn) {
  Critic critic;
  optim::SGD g(net.parameters()), d(critic.parameters());
  Audit audit({{"G", net}, {"D", critic}}, {g, d});
  g.zero_grad();
  critic(net(x)).sum().backward();
  g.step();
  critic(net(x).detach()).sum().backward();  // on top of what the generator's step left
  d.step();
  EXPECT_EQ(only(audit.report(), "foreign-gradient"), (Names{"D.fc.weight", "D.fc.bias"}));
}

TEST_F(AuditTest, AlternatingNetworksWithMinimizeYieldNothing) {
  Critic critic;
  optim::Adam g(net.parameters()), d(critic.parameters());
  Audit audit({{"G", net}, {"D", critic}}, {g, d});
  for (int i = 0; i < 3; ++i) {
    d.minimize(critic(net(x).detach()).sum());
    g.minimize(critic(net(x)).sum());
  }
  EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
}

TEST_F(AuditTest, MovedWhileOff) {
  optim::SGD opt(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  Audit audit(net, {opt});
  opt.minimize(loss(net));
  net.encoder.requires_grad_(false);
  opt.zero_grad(false);  // zeros are gradients: momentum goes on
  loss(net).backward();
  opt.step();
  EXPECT_EQ(only(audit.report(), "moved-while-off"), kEncoder);
}

struct Normalised : nn::Module {
  nn::Parameter weight = add("weight", nn::Parameter(ones({3})));
  nn::Buffer mean = add("mean", nn::Buffer(zeros({3})));
  nn::Linear head = add("head", nn::Linear(3, 1));
  Tensor forward(const Tensor& x) override {
    if (is_training()) {
      const NoGrad guard;
      mean.copy_(lerp(mean, x.mean(0), 0.1));
    }
    return head((x - mean) * weight);
  }
};

TEST_F(AuditTest, DriftingStatistics) {
  nn::Sequential model{Normalised()};
  optim::SGD opt(model.parameters());
  const auto train = [&] {
    Audit audit(model, {opt});
    opt.minimize(loss(model));
    return audit.report();
  };
  EXPECT_TRUE(train().findings.empty());
  model.get_parameter("0.weight").requires_grad_(false);
  EXPECT_EQ(only(train(), "drifting-statistics"), (Names{"0"}));
  model.eval();
  EXPECT_TRUE(train().findings.empty());
}

TEST_F(AuditTest, MomentumLost) {
  Audit audit(net);
  auto opt = std::make_unique<optim::SGD>(net.parameters(), optim::SGDOptions{.lr = 0.1, .momentum = 0.9});
  opt->minimize(loss(net));
  opt = std::make_unique<optim::SGD>(net.parameters(), optim::SGDOptions{.lr = 0.01, .momentum = 0.9});
  opt->minimize(loss(net));
  EXPECT_EQ(only(audit.report(), "momentum-lost").size(), 4U);
}

TEST_F(AuditTest, StateCarriedOverIsNotLost) {
  Audit audit(net);
  auto opt = std::make_unique<optim::SGD>(net.parameters(), optim::SGDOptions{.lr = 0.1, .momentum = 0.9});
  opt->minimize(loss(net));
  const optim::OptimizerState state = opt->state_dict();
  opt = std::make_unique<optim::SGD>(net.parameters());
  opt->load_state_dict(state);
  opt->minimize(loss(net));
  EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
}

TEST_F(AuditTest, ZeroRate) {
  optim::SGD opt({{.params = net.encoder.parameters(), .lr = 0.0}, {.params = net.decoder.parameters()}}, {.lr = 0.1});
  EXPECT_EQ(only(optim::audit(net, {opt}), "zero-rate"), kEncoder);
  Audit audit(net, {opt});
  EXPECT_TRUE(audit.report().findings.empty());  // a warm-up starts so
  opt.minimize(loss(net));
  EXPECT_EQ(only(audit.report(), "zero-rate"), kEncoder);
  opt.param_groups()[0].lr = 0.1;
  opt.minimize(loss(net));
  EXPECT_TRUE(audit.report().findings.empty());
}

TEST_F(AuditTest, IdleSchedule) {
  optim::SGD old(net.parameters()), trains(net.parameters());
  optim::lr_scheduler::StepLR schedule(old, {.step_size = 1});
  Audit audit(net, {trains});
  for (int epoch = 0; epoch < 2; ++epoch) {
    trains.minimize(loss(net));
    schedule.step();
  }
  EXPECT_EQ(only(audit.report(), "idle-schedule"), (Names{"StepLR of SGD"}));
}

TEST_F(AuditTest, SchedulesThatFollowStepsAreNotIdle) {
  optim::SGD opt(net.parameters());
  optim::lr_scheduler::StepLR schedule(opt, {.step_size = 1});
  optim::lr_scheduler::ReduceLROnPlateau plateau(opt);
  Audit audit(net);
  for (int epoch = 0; epoch < 2; ++epoch) {
    opt.minimize(loss(net));
    schedule.step();
    plateau.step(1.0);
    EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
  }
}

struct Tied : nn::Module {
  nn::Linear a = add("a", nn::Linear(3, 3));
  nn::Linear b = add("b", nn::Linear(3, 3));
  Tensor forward(const Tensor& x) override { return b(a(x)); }
};

TEST_F(AuditTest, HalfTied) {
  Tied tied;
  tied.b.weight = tied.a.weight;
  optim::SGD opt(tied.parameters());
  {
    Audit audit(tied, {opt});
    opt.minimize(loss(tied));
    EXPECT_TRUE(audit.report().findings.empty()) << audit.report().to_string();
    tied.b.weight = nn::Parameter(tied.a.weight.detach().clone());
    opt.add_param_group({.params = tied.b.weight});
    EXPECT_EQ(only(audit.report(), "half-tied"), (Names{"a.weight", "b.weight"}));
  }
  Tied shared;
  shared.b.weight = nn::Parameter(shared.a.weight.detach());  // the same memory, two parameters
  optim::SGD other(shared.parameters());
  EXPECT_EQ(only(optim::audit(shared, {other}), "half-tied"), (Names{"a.weight", "b.weight"}));
}

TEST_F(AuditTest, NamesWhatItFindsInItsText) {
  optim::SGD opt(net.encoder.parameters());
  const std::string text = optim::audit({{"G", net}}, {opt}).to_string();
  EXPECT_NE(text.find("unowned (wrong): trainable, but in no optimizer\n  G.decoder.weight, G.decoder.bias"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("SGD[0]"), std::string::npos);
}

}  // namespace
}  // namespace gradus
