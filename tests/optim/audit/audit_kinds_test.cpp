// Kind by kind: programs with one mistake, which the audit must name by its rule, and the same programs corrected as
// the remedy says, about which it must not say anything above advice. docs/audit.md has the same list.
// Here: what is computed, in which mode, and of what.
#include "optim/audit/audit_kinds.h"

namespace gradus {
namespace {

using namespace kinds;

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

TEST_F(Mistake, LogProbabilitiesOfImagesAndOfHalvesAreSound) {
  nn::Conv2d student(3, 4, 1);
  optim::SGD opt(student, {.lr = 0.1});
  Audit audit(student, {opt});
  const Tensor images = randn({2, 3, 5, 5}), teacher = softmax(randn({2, 4, 5, 5}), 1),
               labels = randint(0, 4, {2, 5, 5});
  for (int i = 0; i < 4; ++i) {
    opt.minimize(F::kl_div(log_softmax(student(images), 1), teacher, {.reduction = "batchmean"}));
    opt.minimize(F::nll_loss(log_softmax(student(images).to(kBFloat16), 1).to(kFloat32), labels));
    opt.minimize(F::nll_loss(log_softmax(student(images).to(kBFloat16), 1), labels));
  }
  EXPECT_FALSE(audit.report().has("wrong-dimension")) << audit.report().to_string();
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

}  // namespace
}  // namespace gradus
