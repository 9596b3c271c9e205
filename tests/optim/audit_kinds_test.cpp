// Kind by kind: programs with one mistake, which the audit must name by its rule, and the same programs corrected as
// the remedy says, about which it must not say anything above advice. docs/audit.md has the same list.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

namespace F = nn::functional;
using optim::Audit;
using optim::AuditReport;
using optim::Severity;

struct Net : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8)), b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(a(x))); }
};

struct Mistake : ::testing::Test {
  void SetUp() override {
    manual_seed(5);
    x = randn({16, 4});
    y = randint(0, 3, {16});
  }
  Tensor loss(nn::Module& net) { return F::cross_entropy(net(x), y); }
  Tensor x, y;
};

void expect_found(const AuditReport& report, const std::string& rule) {
  const optim::AuditFinding* found = report.find(rule);
  ASSERT_NE(found, nullptr) << "wanted " << rule << "\n" << report.to_string();
  EXPECT_FALSE(found->message.empty());
  EXPECT_FALSE(found->why.empty());
  EXPECT_FALSE(found->remedy.empty());
  EXPECT_FALSE(found->parameters.empty());
}

void expect_sound(const AuditReport& report) { EXPECT_FALSE(report.has(Severity::wasteful)) << report.to_string(); }

// --- losses ---

TEST_F(Mistake, SoftmaxBeforeCrossEntropy) {
  for (const bool mistake : {true, false}) {
    nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 3));
    if (mistake) net.append(nn::Softmax(1));
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    for (int i = 0; i < 4; ++i) opt.minimize(loss(net));
    mistake ? expect_found(audit.report(), "normalised-twice") : expect_sound(audit.report());
  }
}

TEST_F(Mistake, ActivationsBeforeLossesThatApplyThem) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  const Tensor t = one_hot(y, 3).to(kFloat32);
  const std::vector<std::pair<bool, std::function<Tensor()>>> programs = {
      {true, [&] { return F::cross_entropy(sigmoid(net(x)), y); }},
      {true, [&] { return F::cross_entropy(relu(net(x)), y); }},
      {true, [&] { return F::binary_cross_entropy_with_logits(sigmoid(net(x)), t); }},
      {true,
       [&] {
         return F::cross_entropy(softmax(net(x), 1).view({16, 3}), y, {.label_smoothing = 0.1});
       }},
      {false, [&] { return F::binary_cross_entropy_with_logits(net(x), t); }},
      {false, [&] { return F::binary_cross_entropy(sigmoid(net(x)), t); }},
      {false, [&] { return F::nll_loss(log_softmax(net(x), 1), y); }},
      {false,
       [&] {
         return F::kl_div(log_softmax(net(x), 1), softmax(randn({16, 3}), 1));
       }},
  };
  for (std::size_t i = 0; i < programs.size(); ++i) {
    SCOPED_TRACE(i);
    Audit audit(net, {opt});
    for (int k = 0; k < 3; ++k) opt.minimize(programs[i].second());
    programs[i].first ? expect_found(audit.report(), "normalised-twice") : expect_sound(audit.report());
  }
}

TEST_F(Mistake, ASecondLogSoftmaxIsWasteful) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int k = 0; k < 3; ++k) opt.minimize(F::cross_entropy(log_softmax(net(x), 1), y));
  const AuditReport report = audit.report();
  ASSERT_TRUE(report.has("normalised-twice")) << report.to_string();
  EXPECT_EQ(report.find("normalised-twice")->severity, Severity::wasteful);
}

TEST_F(Mistake, TheWrongDimensionAndNoNormalisation) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  for (const int mistake : {0, 1, 2}) {
    SCOPED_TRACE(mistake);
    Audit audit(net, {opt});
    for (int k = 0; k < 3; ++k) {
      const Tensor scores = net(x);
      opt.minimize(F::nll_loss(mistake == 0 ? log_softmax(scores, 0) : mistake == 1 ? scores : softmax(scores, 1), y));
    }
    expect_found(audit.report(), mistake == 0 ? "wrong-dimension" : "not-normalised");
  }
}

TEST_F(Mistake, BroadcastingByHand) {
  for (const bool mistake : {true, false}) {
    nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
    const Tensor target = randn({16});
    optim::SGD opt(net, {.lr = 0.01});
    Audit audit(net, {opt});
    for (int i = 0; i < 3; ++i) {
      const Tensor out = mistake ? net(x) : net(x).squeeze(1);
      opt.minimize(square(out - target).mean());
    }
    mistake ? expect_found(audit.report(), "broadcast-loss") : expect_sound(audit.report());
  }
}

// --- modes ---

struct Regularised : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(8));
  nn::Dropout drop = add("drop", nn::Dropout(0.5));
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(drop(relu(norm(a(x))))); }
};

TEST_F(Mistake, TrainForgottenAfterValidation) {
  for (const bool mistake : {true, false}) {
    Regularised net;
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    for (int epoch = 0; epoch < 3; ++epoch) {
      if (!mistake) net.train();
      for (int i = 0; i < 3; ++i) opt.minimize(loss(net));
      net.eval();
      const NoGrad guard;
      loss(net);
    }
    mistake ? expect_found(audit.report(), "trained-in-evaluation") : expect_sound(audit.report());
  }
}

TEST_F(Mistake, ValidationInTrainingMode) {
  for (const int mistake : {0, 1, 2}) {
    SCOPED_TRACE(mistake);
    Regularised net;
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    for (int epoch = 0; epoch < 2; ++epoch) {
      net.train();
      for (int i = 0; i < 2; ++i) opt.minimize(loss(net));
      if (mistake == 0) net.eval();
      const NoGrad guard;
      if (mistake == 1) loss(net);
      if (mistake == 2) net(x).argmax(1);
    }
    mistake != 0 ? expect_found(audit.report(), "validated-in-training") : expect_sound(audit.report());
  }
}

// --- registration ---

struct Forgot : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8));
  nn::Linear hidden = nn::Linear(8, 8);
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(hidden(relu(a(x))))); }
};
struct Vector : nn::Module {
  std::vector<nn::Linear> layers{nn::Linear(4, 8), nn::Linear(8, 8)};
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor scale = ones({}, {.requires_grad = true});
  Tensor forward(const Tensor& x) override { return b(relu(layers[1](relu(layers[0](x))))) * scale; }
};
struct Registered : nn::Module {
  nn::ModuleList layers = add("layers", nn::ModuleList(nn::Linear(4, 8), nn::Linear(8, 8)));
  nn::Linear b = add("b", nn::Linear(8, 3));
  nn::Parameter scale = add("scale", nn::Parameter(ones({})));
  Tensor forward(const Tensor& x) override { return b(relu(layers[1](relu(layers[0](x))))) * scale; }
};

template <class M>
AuditReport train_five(const Mistake& test, bool minimize) {
  M net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 5; ++i) {
    opt.zero_grad();
    const Tensor loss = F::cross_entropy(net(test.x), test.y);
    minimize ? loss.backward({.inputs = opt.parameters()}) : loss.backward();
    opt.step();
  }
  return audit.report();
}

TEST_F(Mistake, LayersAndTensorsThatAreNotRegistered) {
  for (const bool minimize : {false, true}) {
    expect_found(train_five<Forgot>(*this, minimize), "unregistered");
    const AuditReport report = train_five<Vector>(*this, minimize);
    expect_found(report, "unregistered");
    EXPECT_EQ(report.find("unregistered")->parameters.size(), 5U) << report.to_string();
    expect_sound(train_five<Registered>(*this, minimize));
  }
}

TEST_F(Mistake, BuffersThatWereMeantToLearn) {
  struct Scaled : nn::Module {
    nn::Linear a = add("a", nn::Linear(4, 3));
    nn::Buffer scale = add("scale", nn::Buffer(ones({3})));
    Tensor forward(const Tensor& x) override { return a(x) * scale; }
  };
  {
    Scaled net;
    net.scale.requires_grad_();
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    for (int i = 0; i < 3; ++i) opt.minimize(loss(net));
    expect_found(audit.report(), "buffer-trained");
  }
  Scaled net;
  auto all = net.parameters();
  for (const Tensor& buffer : net.buffers()) all.push_back(buffer);
  optim::SGD opt(all, {.lr = 0.1});
  expect_found(optim::audit(net, {opt}), "buffer-trained");
}

// --- nothing moves ---

TEST_F(Mistake, NoStepAtAll) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 10; ++i) {
    opt.zero_grad();
    loss(net).backward();
  }
  expect_found(audit.report(), "never-stepped");
}

TEST_F(Mistake, OneOfTwoOptimizersNeverSteps) {
  for (const bool only_its_own : {false, true}) {
    Net net;
    optim::SGD a(net.a.parameters(), {.lr = 0.1}), b(net.b.parameters(), {.lr = 0.1});
    Audit audit(net, {a, b});
    for (int i = 0; i < 10; ++i) {
      a.zero_grad();
      b.zero_grad();
      loss(net).backward({.inputs = only_its_own ? a.parameters() : std::vector<Tensor>{}});
      a.step();
    }
    const AuditReport report = audit.report();
    expect_found(report, "never-stepped");
    EXPECT_EQ(report.find("never-stepped")->parameters, (std::vector<std::string>{"b.weight", "b.bias"}));
    b.step();
  }
}

TEST_F(Mistake, ClearedBetweenBackwardAndStep) {
  for (const bool to_none : {true, false}) {
    Net net;
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    for (int i = 0; i < 5; ++i) {
      loss(net).backward();
      opt.zero_grad(to_none);
      opt.step();
    }
    expect_found(audit.report(), "cleared-too-early");
  }
}

TEST_F(Mistake, EveryStepSkipped) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  opt.set_clipping({.max_norm = 1, .nonfinite = optim::NonFinite::skip});
  Audit audit(net, {opt});
  for (int i = 0; i < 10; ++i) opt.minimize(net(x).sum() * std::nan(""));
  expect_found(audit.report(), "steps-skipped");
  expect_found(audit.report(), "not-finite");
}

TEST_F(Mistake, DeadUnits) {
  Net net;
  {
    const NoGrad guard;
    net.a.bias.fill_(-99);
  }
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 10; ++i) opt.minimize(loss(net));
  expect_found(audit.report(), "zero-gradient");
  expect_found(audit.report(), "dead-units");
}

TEST_F(Mistake, UpdatesBelowRounding) {
  Net net;
  optim::SGD opt(net, {.lr = 1e-12});
  Audit audit(net, {opt});
  for (int i = 0; i < 5; ++i) opt.minimize(loss(net));
  expect_found(audit.report(), "lost-update");
}

TEST_F(Mistake, ConstantInitialisation) {
  for (const bool mistake : {true, false}) {
    Net net;
    net.apply([&](nn::Module& module) {
      if (auto* layer = module.as<nn::Linear>())
        mistake ? nn::init::constant_(layer->weight, 0.1) : nn::init::xavier_uniform_(layer->weight);
    });
    optim::SGD opt(net, {.lr = 0.1});
    Audit audit(net, {opt});
    for (int i = 0; i < 3; ++i) opt.minimize(loss(net));
    mistake ? expect_found(audit.report(), "constant-initialisation") : expect_sound(audit.report());
  }
}

// --- values ---

TEST_F(Mistake, NaNIsNamedWithItsFirstStepAndLayer) {
  struct Logs : nn::Module {
    nn::Linear a = add("a", nn::Linear(4, 3));
    struct Log : nn::Module {
      Tensor forward(const Tensor& x) override { return log(x); }
    };
    Log log_ = add("log", Log());
    Tensor forward(const Tensor& x) override { return log_(a(x)); }
  } net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 2; ++i) opt.minimize(net(x).sum());
  const AuditReport report = audit.report();
  expect_found(report, "not-finite");
  EXPECT_NE(report.find("not-finite")->message.find("step 1"), std::string::npos) << report.to_string();
  EXPECT_NE(report.find("not-finite")->message.find("log (Log)"), std::string::npos) << report.to_string();

  Net bad;
  {
    const NoGrad guard;
    bad.b.weight.fill_(std::nan(""));
  }
  expect_found(optim::audit(bad, {}), "not-finite");
}

TEST_F(Mistake, RatesThatAreFarTooLarge) {
  Net net;
  optim::SGD opt(net, {.lr = 1e4});
  Audit audit(net, {opt});
  for (int i = 0; i < 6; ++i) opt.minimize(loss(net));
  EXPECT_TRUE(audit.report().has("large-updates") || audit.report().has("not-finite")) << audit.report().to_string();
}

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
