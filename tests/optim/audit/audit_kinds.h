// What the tests of mistakes by kind share.
#pragma once

#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gradus {

namespace F = nn::functional;
using optim::Audit;
using optim::AuditReport;
using optim::Severity;

namespace kinds {

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

inline void expect_found(const AuditReport& report, const std::string& rule) {
  const optim::AuditFinding* found = report.find(rule);
  ASSERT_NE(found, nullptr) << "wanted " << rule << "\n" << report.to_string();
  EXPECT_FALSE(found->message.empty());
  EXPECT_FALSE(found->why.empty());
  EXPECT_FALSE(found->remedy.empty());
  EXPECT_FALSE(found->parameters.empty());
}

inline void expect_sound(const AuditReport& report) {
  EXPECT_FALSE(report.has(Severity::wasteful)) << report.to_string();
}

}  // namespace kinds
}  // namespace gradus
