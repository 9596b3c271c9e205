// Audits and threads: made on one and trained on another, two at once, and beside the threads of a loader.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <thread>

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

// Forty steps, with or without zero_grad(); the loss normalises twice if `softmax_first`.
void train(Net& net, optim::Optimizer& opt, bool clears, bool softmax_first) {
  Generator generator(3);
  const Tensor x = randn({16, 4}, {}, &generator), y = argmax(x.narrow(1, 0, 3), 1);
  for (int i = 0; i < 40; ++i) {
    if (clears) opt.zero_grad();
    const Tensor scores = net(x);
    F::cross_entropy(softmax_first ? softmax(scores, 1) : scores, y).backward();
    opt.step();
  }
}

TEST(AuditThreads, StepsOnAnotherThreadAreSeenButNotItsLosses) {
  for (const bool clears : {true, false}) {
    Net net;
    optim::SGD opt(net, {.lr = 0.01});
    Audit audit(net, {opt});
    std::thread([&] { train(net, opt, clears, true); }).join();
    const AuditReport report = audit.report();
    EXPECT_EQ(report.steps, 40);
    EXPECT_EQ(report.looked, 32);  // hooks are gone after those
    ASSERT_TRUE(report.has("other-threads"));
    EXPECT_EQ(report.find("other-threads")->message, "40 of 40 steps were made on another thread than the audit was");
    EXPECT_EQ(report.has("stale-gradient"), !clears) << report.to_string();
    EXPECT_FALSE(report.has("normalised-twice"));
    EXPECT_EQ(report.has(Severity::wasteful), !clears) << report.to_string();
  }
}

TEST(AuditThreads, OneThreadAfterTheOther) {
  Net net;
  optim::SGD opt(net, {.lr = 0.01});
  Audit audit(net, {opt});
  std::thread([&] { train(net, opt, true, false); }).join();
  train(net, opt, true, false);
  const AuditReport report = audit.report();
  EXPECT_EQ(report.steps, 80);
  EXPECT_TRUE(report.has("other-threads"));
  EXPECT_FALSE(report.has(Severity::wasteful)) << report.to_string();
}

// Often, since the end of one comes while the other is in the middle of a pass.
TEST(AuditThreads, TwoAtOnceSeeEachItsOwn) {
  for (int round = 0; round < 50; ++round) {
    AuditReport reports[2];
    const auto run = [&](int i) {
      Net net;
      optim::SGD opt(net, {.lr = 0.01});
      Audit audit(net, {opt});
      train(net, opt, true, i == 1);
      reports[i] = audit.report();
    };
    std::thread first(run, 0), second(run, 1);
    first.join();
    second.join();
    for (const AuditReport& report : reports) {
      EXPECT_EQ(report.steps, 40);
      EXPECT_FALSE(report.has("other-threads"));
    }
    EXPECT_FALSE(reports[0].has(Severity::wasteful)) << reports[0].to_string();
    EXPECT_TRUE(reports[1].has("normalised-twice")) << reports[1].to_string();
  }
}

TEST(AuditThreads, TwoOfOneNetworkEndInAnyOrder) {
  for (const bool first_ends_first : {true, false}) {
    Net net;
    optim::SGD opt(net, {.lr = 0.01});
    auto first = std::make_unique<Audit>(net, optim::AuditedOptimizers{opt});
    auto second = std::make_unique<Audit>(net, optim::AuditedOptimizers{opt});
    train(net, opt, false, false);
    EXPECT_TRUE(first->report().has("stale-gradient"));
    EXPECT_TRUE(second->report().has("stale-gradient"));
    (first_ends_first ? first : second).reset();
    train(net, opt, false, false);
    const auto& left = first_ends_first ? second : first;
    EXPECT_EQ(left->report().steps, 80);
  }
}

// A loader's threads run a network of their own; what they compute is not looked at.
TEST(AuditThreads, LoadersThreadsAreNotLookedAt) {
  Net net;
  nn::Sequential features(nn::Linear(4, 4), nn::Dropout(0.5));
  const data::FunctionDataset dataset(64,
                                      [&](std::int64_t i) {
                                        const NoGrad guard;
                                        const Tensor x = full({1, 4}, static_cast<double>(i % 7) - 3);
                                        F::cross_entropy(softmax(features(x), 1),
                                                         tensor(std::vector<std::int64_t>{i % 3}));
                                        return data::Sample(features(x).squeeze(0), i % 3);
                                      },
                                      {.name = {}, .random = true, .identity = {}});
  data::DataLoader loader(dataset, {.batch_size = 16, .num_workers = 2, .seed = 1});
  optim::SGD opt(net, {.lr = 0.01});
  Audit audit({{"net", net}, {"features", features}}, {opt});
  audit.expect("teacher-in-training");
  for (int epoch = 0; epoch < 3; ++epoch)
    for (auto& [x, y] : loader) opt.minimize(F::cross_entropy(net(x), y));
  const AuditReport report = audit.report();
  EXPECT_EQ(report.steps, 12);
  EXPECT_FALSE(report.has(Severity::wasteful)) << report.to_string();
}

}  // namespace
}  // namespace gradus
