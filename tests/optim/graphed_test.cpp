// Every optimizer in a recorded step: it makes the steps that it makes without, or says that it cannot be recorded.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include "all_optimizers.h"
#include "support/message.h"
#include "support/tested_device.h"

namespace gradus::test {
namespace {

const Device kTested = tested_device();

struct Trained {
  std::vector<Tensor> all;
  std::unique_ptr<optim::Optimizer> optimizer;

  Trained(const OptimizerKind& kind, Dtype dtype) {
    Generator generator(3);
    for (const Shape& sizes : {Shape{4, 3}, Shape{3}, Shape{0, 2}, Shape{2, 3, 2}}) {
      all.push_back(randn(sizes, {.dtype = dtype}, &generator).to(kTested).requires_grad_());
      all.back().set_name("p" + std::to_string(all.size()));
    }
    optimizer = kind.make({optim::Params(all)});
    set_options(*optimizer, 0, kind.full);
  }
  Tensor loss() {
    optimizer->zero_grad();
    Tensor sum;
    for (const Tensor& x : all) {
      const Tensor part = (square(x - 0.5) + sin(x * 2) * 0.25).sum();
      sum = sum.defined() ? sum + part : part;
    }
    sum.backward();
    return sum;
  }
  Tensor step() {
    const Tensor made = loss();
    optimizer->step();
    return made;
  }
  std::vector<double> state() const {
    std::vector<double> values;
    const auto take = [&](const Tensor& x) {
      for (const double v : x.to_vector<double>()) values.push_back(v);
    };
    for (const Tensor& x : all) take(x.detach());
    for (const auto& [name, one] : optimizer->state_dict().params) {
      values.push_back(static_cast<double>(one.step));
      for (const auto& [key, x] : one.tensors) take(x);
      for (const auto& [key, x] : one.numbers) values.push_back(x);
    }
    return values;
  }
};

class GraphedOptimizerOnADevice : public testing::TestWithParam<std::size_t> {};

TEST_P(GraphedOptimizerOnADevice, MakesTheSameSteps) {
  const OptimizerKind& kind = all_optimizers()[GetParam()];
  const bool whole = kind.name == "Muon" || kind.name == "Adafactor";
  for (const Dtype dtype : {kFloat32, kFloat64}) {
    Trained plain(kind, dtype), recorded(kind, dtype);
    if (kind.name == "LBFGS") {
      GraphedStep with_closure([&] { return recorded.optimizer->step([&] { return recorded.loss(); }); },
                               {.warmup = 1});
      with_closure();
      EXPECT_EQ(message_of([&] { with_closure(); }),
                "LBFGS.step with a closure: cannot be part of a GraphedStep, since it reads the loss on the host");
      return;
    }
    GraphedStep step([&] { return recorded.step(); }, {.warmup = 1});
    for (int i = 0; i < 9; ++i) {
      if (i == 6) {
        for (Trained* run : {&plain, &recorded}) {
          if (const auto lr = run->optimizer->option(0, "lr"); std::holds_alternative<double>(lr))
            run->optimizer->set_option(0, "lr", std::get<double>(lr) * 0.5);
        }
      }
      plain.step();
      const std::string said = message_of([&] { step(); });
      if (whole && i > 0) {
        EXPECT_EQ(said,
                  kind.name + ": cannot be part of a GraphedStep, since it computes numbers of an update on the host");
        return;
      }
      EXPECT_EQ(said, "no exception");
    }
    EXPECT_EQ(step.repetitions(), 7);
    EXPECT_EQ(recorded.state(), plain.state());
  }
}

INSTANTIATE_TEST_SUITE_P(All, GraphedOptimizerOnADevice, testing::Range<std::size_t>(0, all_optimizers().size()),
                         [](const auto& tested) { return all_optimizers()[tested.param].name; });

// One that shows its average in evaluation is recorded again after it.
TEST(GraphedOptimizersOnADevice, ShowTheirAveragesInBetween) {
  std::vector<std::vector<double>> ends;
  for (const bool recorded : {false, true}) {
    manual_seed(3);
    nn::Linear net(4, 2);
    net.to(kTested);
    optim::AdamWScheduleFree optimizer(net.parameters());
    const Tensor x = randn({5, 4}).to(kTested);
    const auto function = [&] {
      optimizer.zero_grad();
      const Tensor loss = square(net(x)).sum();
      loss.backward();
      optimizer.step();
      return loss;
    };
    GraphedStep step(function, {.warmup = 1});
    std::vector<double> seen;
    for (int i = 0; i < 12; ++i) {
      recorded ? step() : function();
      if (i % 5 != 4) continue;
      net.eval();
      for (const double v : net(x).to_vector<double>()) seen.push_back(v);
      net.train();
    }
    for (const double v : net.weight.to_vector<double>()) seen.push_back(v);
    if (recorded) {
      EXPECT_GT(step.repetitions(), 2);
    }
    ends.push_back(seen);
  }
  EXPECT_EQ(ends[0], ends[1]);
}

}  // namespace
}  // namespace gradus::test
