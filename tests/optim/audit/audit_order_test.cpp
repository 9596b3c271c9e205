// Kind by kind: programs with one mistake, which the audit must name by its rule, and the same programs corrected as
// the remedy says, about which it must not say anything above advice. docs/audit.md has the same list.
// Here: when things are done, by whom, and what the report says.
#include "optim/audit/audit_kinds.h"

namespace gradus {
namespace {

using namespace kinds;

// --- schedules ---

TEST_F(Mistake, SchedulesInTheWrongPlace) {
  {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    optim::lr_scheduler::StepLR schedule(opt, {.step_size = 5});
    Audit audit(net, {opt});
    for (int i = 0; i < 20; ++i) opt.minimize(loss(net));
    expect_found(audit.report(), "schedule-unused");
  }
  {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    optim::lr_scheduler::StepLR schedule(opt, {.step_size = 5});
    Audit audit(net, {opt});
    for (int i = 0; i < 5; ++i) {
      opt.zero_grad();
      loss(net).backward();
      schedule.step();
      opt.step();
    }
    expect_found(audit.report(), "schedule-first");
  }
  {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    optim::lr_scheduler::CosineAnnealingLR schedule(opt, {.T_max = 5});  // epochs, and stepped per batch
    Audit audit(net, {opt});
    for (int i = 0; i < 20; ++i) {
      opt.minimize(loss(net));
      schedule.step();
      if (i == 3) expect_sound(audit.report());
      if (i == 7) expect_found(audit.report(), "schedule-over");
    }
  }
  {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    optim::lr_scheduler::StepLR schedule(opt, {.step_size = 2});
    Audit audit(net, {opt});
    for (int i = 0; i < 16; ++i) {
      opt.minimize(loss(net));
      schedule.step();
    }
    expect_found(audit.report(), "schedule-over");
  }
}

TEST_F(Mistake, RatesThatAreZero) {
  {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    optim::lr_scheduler::WarmupLinearLR schedule(opt, {.total_steps = 3, .start_factor = 1});
    Audit audit(net, {opt});
    for (int i = 0; i < 20; ++i) {
      opt.minimize(loss(net));
      schedule.step();
    }
    expect_found(audit.report(), "zero-rate");
  }
  {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    optim::lr_scheduler::WarmupLinearLR schedule(opt, {.warmup_steps = 5, .total_steps = 30});  // never stepped
    Audit audit(net, {opt});
    for (int i = 0; i < 12; ++i) opt.minimize(loss(net));
    expect_found(audit.report(), "zero-rate");
  }
  // A warm-up from zero is not one.
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  optim::lr_scheduler::WarmupLinearLR schedule(opt, {.warmup_steps = 5, .total_steps = 30});
  expect_sound(optim::audit(net, {opt}));
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) {
    opt.minimize(loss(net));
    schedule.step();
    expect_sound(audit.report());
  }
}

TEST_F(Mistake, PlateauInTheWrongMode) {
  for (const bool mistake : {true, false}) {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    optim::lr_scheduler::ReduceLROnPlateau plateau(opt, {.mode = mistake ? "min" : "max", .patience = 2});
    Audit audit(net, {opt});
    for (int epoch = 0; epoch < 10; ++epoch) {
      opt.minimize(loss(net));
      plateau.step(0.5 + 0.04 * epoch);  // an accuracy
    }
    mistake ? expect_found(audit.report(), "wrong-mode") : expect_sound(audit.report());
  }
}

// --- accumulation and clipping ---

TEST_F(Mistake, AccumulationThatIsClearedOrNotDivided) {
  for (const int mistake : {0, 1, 2}) {
    SCOPED_TRACE(mistake);
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    for (int step = 0; step < 4; ++step) {
      opt.zero_grad();
      for (int micro = 0; micro < 4; ++micro) {
        if (mistake == 1) opt.zero_grad();
        const Tensor one = loss(net);
        (mistake == 2 ? one : one / 4).backward();
      }
      opt.step();
    }
    const AuditReport report = audit.report();
    if (mistake == 1) expect_found(report, "accumulation-cleared");
    if (mistake == 2) expect_found(report, "accumulation-not-divided");
    if (mistake == 0) {
      EXPECT_TRUE(report.findings.empty()) << report.to_string();
    }
  }
}

TEST_F(Mistake, BackwardTwice) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 3; ++i) {
    opt.zero_grad();
    const Tensor once = loss(net);
    once.backward({.retain_graph = true});
    once.backward();
    opt.step();
  }
  expect_found(audit.report(), "backward-twice");
}

TEST_F(Mistake, ClippingAtTheWrongTime) {
  for (const int mistake : {0, 1, 2, 3}) {
    SCOPED_TRACE(mistake);
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    for (int i = 0; i < 3; ++i) {
      opt.zero_grad();
      if (mistake == 1) nn::utils::clip_grad_norm_(net.parameters(), 1.0);
      loss(net).backward();
      if (mistake == 0) nn::utils::clip_grad_norm_(net.parameters(), 1.0);
      if (mistake == 3) nn::utils::clip_grad_norm_(net.a.parameters(), 1.0);
      opt.step();
      if (mistake == 2) nn::utils::clip_grad_value_(net.parameters(), 1.0);
    }
    const AuditReport report = audit.report();
    if (mistake == 0) expect_sound(report);
    if (mistake == 1) expect_found(report, "clip-too-early");
    if (mistake == 2) expect_found(report, "clip-too-late");
    if (mistake == 3) expect_found(report, "clip-part");
  }
}

TEST_F(Mistake, AClosureThatDoesNotClear) {
  for (const bool mistake : {true, false}) {
    Net net;
    optim::LBFGS opt(net, {.lr = 0.1, .max_iter = 4});
    Audit audit(net, {opt});
    for (int i = 0; i < 3; ++i) {
      opt.zero_grad();
      opt.step([&] {
        if (!mistake) opt.zero_grad();
        const Tensor value = loss(net);
        value.backward();
        return value;
      });
    }
    mistake ? expect_found(audit.report(), "closure-adds") : expect_sound(audit.report());
  }
}

// --- handles and copies ---

TEST_F(Mistake, AHandleWhereACopyWasMeant) {
  for (const bool mistake : {true, false}) {
    Net net;
    Net target = mistake ? net : nn::clone(net);
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit({{"net", net}, {"target", target}}, {opt});
    for (int i = 0; i < 4; ++i) {
      Tensor goal;
      {
        const NoGrad guard;
        goal = target(x);
      }
      opt.minimize(F::mse_loss(net(x), goal + 1));
    }
    mistake ? expect_found(audit.report(), "same-network") : expect_sound(audit.report());
  }
}

TEST_F(Mistake, BestWeightsKeptWithoutClone) {
  for (const bool mistake : {true, false}) {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    nn::StateDict best;
    for (int i = 0; i < 8; ++i) {
      opt.minimize(loss(net));
      if (i != 2) continue;
      if (mistake)
        best = net.state_dict();
      else
        for (const auto& [name, tensor] : net.state_dict()) best.set(name, tensor.clone());
    }
    const AuditReport report = audit.report();
    EXPECT_EQ(report.has("kept-handle"), mistake) << report.to_string();
  }
}

TEST_F(Mistake, ATargetThatGetsGradientsOrUpdates) {
  Net net, target;
  {
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit({{"net", net}, {"target", target}}, {opt});
    for (int i = 0; i < 3; ++i) {
      opt.zero_grad();
      F::mse_loss(net(x), target(x)).backward();  // the target is not detached
      opt.step();
    }
    expect_found(audit.report(), "target-gradient");
  }
  auto both = net.parameters();
  for (const Tensor& p : target.parameters()) both.push_back(p);
  optim::SGD opt(both, {.lr = 0.1});
  Audit audit({{"net", net}, {"target", target}}, {opt});
  for (int i = 0; i < 3; ++i) opt.minimize(F::mse_loss(net(x), target(x).detach()));
  expect_found(audit.report(), "unreached");
}

// --- owners ---

TEST_F(Mistake, AnOptimizerOfACopy) {
  Net net;
  Net other = nn::clone(net);
  optim::SGD opt(other, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 3; ++i) {
    opt.zero_grad();
    loss(net).backward();
    opt.step();
  }
  expect_found(audit.report(), "elsewhere");
}

TEST_F(Mistake, OffYetOwned) {
  Net net;
  net.a.requires_grad_(false);
  optim::SGD opt(net, {.lr = 0.1});
  {
    Audit audit(net, {opt});
    for (int i = 0; i < 6; ++i) opt.minimize(loss(net));
    expect_found(audit.report(), "off-yet-owned");
    expect_sound(audit.report());
  }
  net.a.requires_grad_(true);
  Audit audit(net, {opt});
  opt.minimize(loss(net));
  net.a.requires_grad_(false);
  for (int i = 0; i < 6; ++i) opt.minimize(loss(net));
  expect_found(audit.report(), "left-off");
}

TEST_F(Mistake, EverythingOff) {
  Net net;
  optim::SGD opt(net.b, {.lr = 0.1});
  net.b.requires_grad_(false);
  Audit audit(net, {opt});
  for (int i = 0; i < 4; ++i) {
    opt.zero_grad();
    loss(net).backward();
    opt.step();
  }
  expect_found(audit.report(), "nothing-to-train");
}

TEST_F(Mistake, TheDiscriminatorsLossMovesTheGenerator) {
  for (const int mistake : {0, 1, 2}) {
    SCOPED_TRACE(mistake);
    nn::Linear G(4, 4), D(4, 1);
    optim::SGD g(G, {.lr = 0.1}), d(D, {.lr = 0.1});
    Audit audit({{"G", G}, {"D", D}}, {g, d});
    for (int i = 0; i < 6; ++i) {
      d.zero_grad();
      if (mistake == 1) g.zero_grad();
      const Tensor fake = G(x);
      D(mistake == 0 ? fake.detach() : fake)
          .mean()
          .backward(mistake == 0 ? BackwardOptions{.inputs = d.parameters()} : BackwardOptions{});
      d.step();
      if (mistake == 2) g.zero_grad();
      const Tensor g_loss = -D(G(x)).mean();
      if (mistake == 0) {
        g.minimize(g_loss);
      } else {
        g_loss.backward();
        g.step();
      }
    }
    const AuditReport report = audit.report();
    if (mistake == 0) expect_sound(report);
    if (mistake == 1) {
      expect_found(report, "foreign-gradient");
      EXPECT_EQ(report.find("foreign-gradient")->parameters[0], "G.weight") << report.to_string();
    }
    if (mistake == 2) {
      EXPECT_FALSE(report.has(Severity::wrong)) << report.to_string();
      expect_found(report, "wasted-gradient");
    }
  }
}

TEST_F(Mistake, AnAverageThatIsNeverUpdated) {
  for (const bool mistake : {true, false}) {
    Net net;
    optim::swa_utils::AveragedModel<Net> ema(net);
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit({{"net", net}, {"ema", ema}}, {opt});
    for (int i = 0; i < 12; ++i) {
      opt.minimize(loss(net));
      if (!mistake) ema.update_parameters(net);
    }
    mistake ? expect_found(audit.report(), "average-unused") : expect_sound(audit.report());
  }
}

TEST_F(Mistake, HabitsAreNamedWhenAsked) {
  nn::Sequential net(nn::Linear(4, 8), nn::BatchNorm1d(8), nn::ReLU(), nn::Linear(8, 3));
  optim::Adam opt(net, {.lr = static_cast<double>(0.001f), .weight_decay = 0.5});
  const AuditReport plain = optim::audit(net, {opt});
  ASSERT_EQ(plain.findings.size(), 1U) << plain.to_string();
  EXPECT_EQ(plain.findings[0].rule, "float-rate");  // no habit but a slip
  const AuditReport report = optim::audit(net, {opt}, {.habits = true});
  for (const char* rule : {"decayed-norms", "huge-decay", "bias-before-norm", "coupled-decay", "float-rate"})
    expect_found(report, rule);
  EXPECT_FALSE(report.has(Severity::wasteful));
}

TEST_F(Mistake, WhatALookaheadWrapsIsSteppedByItself) {
  for (const bool mistake : {true, false}) {
    Net net;
    optim::SGD inner(net, {.lr = 0.1});
    optim::Lookahead opt(inner, {.k = 2});
    Audit audit(net, {opt});
    for (int i = 0; i < 4; ++i) mistake ? inner.minimize(loss(net)) : opt.minimize(loss(net));
    mistake ? expect_found(audit.report(), "inner-stepped") : expect_sound(audit.report());
  }
}

TEST_F(Mistake, ColumnsOfVeryDifferentScales) {
  for (const bool mistake : {true, false}) {
    Net net;
    const Tensor scales = tensor({1.0f, 1.0f, mistake ? 1e5f : 2.0f, 1.0f});
    optim::SGD opt(net, {.lr = 1e-9});
    Audit audit(net, {opt}, {.habits = true});
    opt.minimize(F::cross_entropy(net(x * scales), y));
    EXPECT_EQ(audit.report().has("input-scale"), mistake) << audit.report().to_string();
  }
}

// --- what the report says ---

TEST_F(Mistake, OptionsThatOnlyLookOdd) {
  Net net;
  optim::Lion8bit lion(net, {.betas = {0.99, 0.9}});
  optim::Adadelta delta(net, {.lr = 1, .weight_decay = 0.1});
  Audit audit(net, {lion, delta});
  EXPECT_FALSE(audit.report().has("swapped-betas")) << audit.report().to_string();
  EXPECT_FALSE(audit.report().has("huge-decay")) << audit.report().to_string();
}

TEST_F(Mistake, WhatIsExpectedIsNotCounted) {
  Net net;
  optim::SGD opt(net.a, {.lr = 0.1});
  Audit audit(net, {opt});
  opt.minimize(loss(net));
  expect_found(audit.report(), "unowned");
  audit.expect("unowned", "b.weight");
  EXPECT_EQ(audit.report().find("unowned")->parameters, (std::vector<std::string>{"b.bias"}));
  audit.expect("unowned", "b");
  EXPECT_TRUE(audit.report().findings.empty());
  EXPECT_EQ(audit.report().expected.size(), 1U);
  EXPECT_THROW(audit.expect("unownd"), ValueError);
}

TEST_F(Mistake, SilenceSaysWhatWasLookedAt) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 50; ++i) opt.minimize(loss(net));
  const AuditReport report = audit.report();
  EXPECT_EQ(report.steps, 50);
  EXPECT_EQ(report.looked, 32);
  EXPECT_NE(report.to_string().find("nothing found; looked at: 4 parameters, 50 steps, 32 of them closely"),
            std::string::npos)
      << report.to_string();
  EXPECT_NE(report.to_json().find("\"looked\": 32"), std::string::npos);
}

}  // namespace
}  // namespace gradus
