// The table of a training run before it starts.
#include <gradus/nn.h>
#include <gradus/optim.h>
#include <gradus/optim/control/plan.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optim/all_optimizers.h"

namespace gradus::optim {
namespace {

using testing::HasSubstr;

struct Net : nn::Module {
  nn::Sequential features = add("features", nn::Sequential(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 8)));
  nn::Linear head = add("head", nn::Linear(8, 2));
  Tensor forward(const Tensor& x) override { return head(relu(features(x))); }
};

TEST(Plan, HasARowForEachGroup) {
  Net net;
  nn::freeze(net, "features.0");
  Adam optimizer({{.params = net.features.parameters(), .lr = 1e-4},
                  {.params = net.head.parameters(), .lr = 1e-2, .weight_decay = 0.1, .name = "the head"}});
  lr_scheduler::StepLR schedule(optimizer, {.step_size = 10});
  const Plan plan =
      optim::plan(net, {optimizer}, {.schedules = {schedule}, .costs = {{"", nn::summary(net, {5, 4})}}, .samples = 5});
  ASSERT_EQ(plan.rows.size(), 4U);
  const PlanRow &frozen = plan.rows[0], &body = plan.rows[1], &head = plan.rows[2], &rest = plan.rows[3];
  EXPECT_EQ(frozen.group, "features.0.*");
  EXPECT_EQ(frozen.status, AuditRow::Status::frozen);
  EXPECT_EQ(frozen.parameters, 40);
  EXPECT_EQ(frozen.gradient_bytes, 0);
  EXPECT_EQ(frozen.state_bytes, 0);
  EXPECT_EQ(frozen.backward_flops, 0);
  EXPECT_EQ(body.group, "features.2.*");
  EXPECT_EQ(body.optimizer, "Adam[0]");
  EXPECT_EQ(body.lr, 1e-4);
  EXPECT_EQ(body.decay, 0.0);
  EXPECT_EQ(body.schedule, "StepLR");
  EXPECT_EQ(body.weight_bytes, 4 * 72);
  EXPECT_EQ(body.gradient_bytes, 4 * 72);
  EXPECT_EQ(body.state_bytes, 2 * 4 * 72);
  EXPECT_EQ(body.forward_flops, 2 * 8 * 8);
  EXPECT_EQ(head.group, "the head");
  EXPECT_EQ(head.decay, 0.1);
  EXPECT_EQ(head.forward_flops, 2 * 8 * 2);
  EXPECT_EQ(rest.tensors, 0);
  EXPECT_EQ(rest.forward_flops, 8 + 8);  // both ReLUs, per sample
  EXPECT_EQ(plan.total().parameters, 40 + 72 + 18);
  EXPECT_EQ(plan.total().forward_flops, static_cast<double>(nn::summary(net, {5, 4}).total().forward.flops) / 5);
  EXPECT_TRUE(plan.findings.empty());
  const std::string text = plan.to_string();
  for (const char* part : {"features.0.*", "frozen", "the head", "StepLR", "0.01", "the audit finds nothing"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(Plan, ShowsWhatNobodyTrainsAndWhatTheAuditFinds) {
  Net a, b;
  SGD optimizer(a.head.parameters());
  const Plan plan = optim::plan({{"A", a}, {"B", b}}, {optimizer});
  ASSERT_EQ(plan.rows.size(), 3U);
  EXPECT_EQ(plan.rows[0].optimizer, "");
  EXPECT_EQ(plan.rows[1].optimizer, "SGD[0]");
  EXPECT_EQ(plan.rows[1].state_bytes, 0);
  EXPECT_EQ(plan.rows[2].group, "*");
  EXPECT_THAT(plan.to_string(), HasSubstr("unowned"));
  EXPECT_THAT(plan.to_string(), HasSubstr("B: *"));
}

TEST(Plan, RefusesWhatIsWrong) {
  Net net;
  EXPECT_THROW(plan({{"net", net}}, {}, {.costs = {{"nte", nn::summary(net, {1, 4})}}}), ValueError);
  EXPECT_THROW(plan(net, {}, {.samples = 0}), ValueError);
}

void expect_state(const std::string& name, Net& net, Optimizer& optimizer) {
  std::vector<std::optional<std::int64_t>> before;
  for (const Tensor& p : net.parameters()) before.push_back(optimizer.state_bytes(p));
  optimizer.minimize(net(ones({2, 4})).sum());
  std::size_t i = 0;
  for (const Tensor& p : net.parameters()) {
    std::int64_t bytes = 0;
    for (const auto& [key, tensor] : optimizer.state_tensors(p)) bytes += tensor.numel() * tensor.element_size();
    EXPECT_EQ(before[i++], bytes) << name << " of " << p.name();
  }
}

TEST(StateBytes, AreThoseOfTheStateThatComes) {
  for (const auto& kind : test::all_optimizers()) {
    Net net;
    const auto optimizer = kind.make({net.parameters()});
    test::set_options(*optimizer, 0, kind.full);
    if (optimizer->state_bytes(net.head.weight)) expect_state(kind.name, net, *optimizer);
  }
  Net plain, slow;
  SGD sgd(plain.parameters()), inner(slow.parameters());
  Lookahead lookahead(inner);
  expect_state("SGD", plain, sgd);
  expect_state("Lookahead", slow, lookahead);
  Net net;
  LBFGS lbfgs(net.parameters());
  EXPECT_FALSE(lbfgs.state_bytes(net.parameters()[0]).has_value());
  Adam adam(net.head.parameters());
  EXPECT_EQ(adam.state_bytes(net.features.parameters()[0]), 0);
}

}  // namespace
}  // namespace gradus::optim
