// Optimizers on another device than the CPU: each makes the CPU's steps, and its state follows the parameters.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include "all_optimizers.h"
#include "kernels/emulated/device.h"
#include "support/tested_device.h"

namespace gradus::test {
namespace {

const Device kTested = test::tested_device();

std::vector<Tensor> parameters(Device device) {
  Generator generator(3);
  std::vector<Tensor> all;
  for (const Shape& sizes : {Shape{4, 3}, Shape{3}, Shape{2, 3, 2}}) {
    all.push_back(randn(sizes, {.dtype = kFloat64}, &generator).to(device).requires_grad_());
    all.back().set_name("p" + std::to_string(all.size()));
  }
  return all;
}

Tensor loss_of(const std::vector<Tensor>& all) {
  Tensor sum;
  for (const Tensor& x : all) {
    const Tensor part = (square(x - 0.5) + sin(x * 2) * 0.25).sum();
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

void train(optim::Optimizer& opt, const std::vector<Tensor>& all, int steps) {
  for (int i = 0; i < steps; ++i) {
    opt.step([&] {
      opt.zero_grad();
      const Tensor loss = loss_of(all);
      loss.backward();
      return loss;
    });
  }
}

void expect_same(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  for (std::size_t k = 0; k < got.size(); ++k) {
    const auto a = got[k].to_vector<double>(), b = expected[k].to_vector<double>();
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-7) << "parameter " << k << ", element " << i;
  }
}

class OptimizerOnADevice : public testing::TestWithParam<std::size_t> {
 protected:
  const OptimizerKind& kind() const { return all_optimizers()[GetParam()]; }
  std::unique_ptr<optim::Optimizer> made(const std::vector<Tensor>& all) const {
    auto opt = kind().make({optim::Params(all)});
    set_options(*opt, 0, kind().full);
    return opt;
  }
};

TEST_P(OptimizerOnADevice, MakesTheCpusSteps) {
  const std::vector<Tensor> here = parameters(kCPU), there = parameters(kTested);
  const auto a = made(here), b = made(there);
  train(*a, here, 6);
  emulated::set_delays(50);
  train(*b, there, 6);
  emulated::set_delays(0);
  for (const Tensor& x : there) EXPECT_EQ(x.device(), kTested);
  expect_same(there, here);
}

TEST_P(OptimizerOnADevice, StateGoesToAnyDevice) {
  const std::vector<Tensor> here = parameters(kCPU), there = parameters(kTested), again = parameters(kTested);
  const auto a = made(here), b = made(there), c = made(again);
  train(*a, here, 3);
  train(*b, there, 3);
  // From the CPU to the device, with the parameters.
  c->load_state_dict(a->state_dict());
  NoGrad guard;
  for (std::size_t i = 0; i < here.size(); ++i) again[i].detach().copy_(here[i].detach());
  const EnableGrad recording;
  train(*a, here, 3);
  train(*b, there, 3);
  train(*c, again, 3);
  expect_same(there, here);
  expect_same(again, here);
  for (const auto& [name, param] : b->state_dict().params)
    for (const auto& [state, x] : param.tensors) EXPECT_EQ(x.device(), kTested) << name << " " << state;
}

INSTANTIATE_TEST_SUITE_P(All, OptimizerOnADevice, testing::Range<std::size_t>(0, all_optimizers().size()),
                         [](const auto& tested) { return all_optimizers()[tested.param].name; });

TEST(OptimizersOnADevice, ClippingReadsOneNorm) {
  const std::vector<Tensor> there = parameters(kTested), here = parameters(kCPU);
  for (const auto* all : {&there, &here}) loss_of(*all).backward();
  const auto before = emulated::counters().synchronizations;
  const Tensor norm = nn::utils::clip_grad_norm_(there, 0.5);
  if (kTested.type == DeviceType::Emulated) {
    EXPECT_EQ(emulated::counters().synchronizations, before + 1);
  }
  EXPECT_NEAR(norm.item(), nn::utils::clip_grad_norm_(here, 0.5).item(), 1e-12);
  std::vector<Tensor> got, expected;
  for (std::size_t i = 0; i < here.size(); ++i) {
    got.push_back(there[i].grad());
    expected.push_back(here[i].grad());
  }
  expect_same(got, expected);
}

TEST(OptimizersOnADevice, FollowsAModuleThatMoves) {
  nn::Linear net(4, 2), other(4, 2);
  other.load_state_dict(net.state_dict());
  optim::Adam a(net.parameters()), b(other.parameters());
  const auto step = [](nn::Linear& module, optim::Optimizer& opt) {
    opt.zero_grad();
    square(module(ones({3, 4}, {.device = module.weight.device()}))).sum().backward();
    opt.step();
  };
  step(net, a);
  step(other, b);
  net.to(kTested);
  for (int i = 0; i < 3; ++i) {
    step(net, a);
    step(other, b);
  }
  const auto got = net.weight.to_vector<float>(), expected = other.weight.to_vector<float>();
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5);
}

}  // namespace
}  // namespace gradus::test
