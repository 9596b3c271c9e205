// Optimizer state in PyTorch's form: what other programs put into it, and LBFGS's, which lies across all parameters.
#include <gmock/gmock.h>
#include <gradus/autograd.h>
#include <gradus/io.h>
#include <gradus/nn.h>
#include <gradus/ops.h>
#include <gradus/optim.h>
#include <gtest/gtest.h>

#include "support/message.h"
#include "support/paths.h"

namespace gradus::optim {
namespace {

using io::Value;
using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

struct Trained {
  nn::Linear net{3, 2};
  AdamW optimizer{net.parameters(), {.lr = 0.5}};
  Value saved;

  Trained() {
    optimizer.minimize(net(ones({4, 3})).sum());
    saved = to_pytorch(optimizer);
  }
  // With one more entry in the group, or in the state of the first parameter.
  Value with_option(const char* name, const Value& value) const {
    Value group = saved.at({"param_groups", 0}), all = saved;
    group.set(name, value);
    all.set("param_groups", Value::list({group}));
    return all;
  }
  Value with_state(const char* name, const Value& value) const {
    Value states = saved.at({"state"}), state = states.at({0}), all = saved;
    state.set(name, value);
    states.set(0, state);
    all.set("state", states);
    return all;
  }
};

TEST(FromPyTorch, ReportsWhatAProgramAddedToGroups) {
  Trained run;
  for (const Value& value : {Value(0.75), Value("head"), Value(true), Value(), Value::list({"a"}),
                             Value::dict({{"a", 1}}), Value::tuple({1, 2})}) {
    nn::Linear net(3, 2);
    AdamW optimizer(net.parameters(), {.lr = 1});
    const LoadStateReport report = from_pytorch(run.with_option("lr_scale", value), optimizer);
    EXPECT_THAT(report.unexpected, ElementsAre("param_groups[0].lr_scale")) << value.to_string();
    EXPECT_EQ(report.loaded.size(), 2u);
    EXPECT_EQ(*optimizer.param_groups()[0].lr, 0.5);
    EXPECT_EQ(optimizer.steps_of(net.weight), 1);
  }
}

TEST(FromPyTorch, ReportsWhatAProgramAddedToState) {
  Trained run;
  const LoadStateReport tensor = from_pytorch(run.with_state("master", ones({2})), run.optimizer);
  EXPECT_THAT(tensor.unexpected, ElementsAre("state[0].master"));
  const LoadStateReport text = from_pytorch(run.with_state("note", "x"), run.optimizer);
  EXPECT_THAT(text.unexpected, ElementsAre("state[0].note"));
  EXPECT_THAT(text.to_string(), HasSubstr("unexpected: state[0].note"));
}

TEST(FromPyTorch, StillRefusesAnotherMethod) {
  Trained run;
  SGD sgd(run.net.parameters(), SGDOptions{.lr = 1});
  EXPECT_THAT(message_of<ValueError>([&] { from_pytorch(run.saved, sgd); }), HasSubstr("SGD has no such option"));
  EXPECT_EQ(*sgd.param_groups()[0].lr, 1);
}

TEST(FromPyTorch, StateTakesTheParametersType) {
  Trained run;
  const Tensor before = run.optimizer.state_of(run.net.weight, "exp_avg").clone();
  const Value saved = run.with_state("exp_avg", before.to(kFloat64));
  from_pytorch(saved, run.optimizer);
  EXPECT_EQ(run.optimizer.state_of(run.net.weight, "exp_avg").dtype(), kFloat32);
  EXPECT_TRUE(equal(run.optimizer.state_of(run.net.weight, "exp_avg"), before));
}

// The problem of tests/fixtures/make_lbfgs.py.
struct Problem {
  nn::Parameter w, b;
  LBFGS optimizer;
  Problem(const Tensor& first, const Tensor& second)
      : w(first.clone()), b(second.clone()), optimizer({w, b}, {.lr = 0.5, .max_iter = 4}) {}
  void step() {
    optimizer.step([&] {
      optimizer.zero_grad();
      const Tensor loss = (w - arange(3).to(kFloat64)).pow(4).sum() + (b * w).sum().pow(2);
      loss.backward();
      return loss;
    });
  }
};

TEST(FromPyTorch, LBFGSGoesOnAsPyTorchDoes) {
  const Value file = io::load(test::source_path("tests/fixtures/lbfgs.pth"));
  Problem run(file.as_tensor({"w"}), file.as_tensor({"b"}));
  const LoadStateReport report = from_pytorch(file.at({"optimizer"}), run.optimizer);
  EXPECT_EQ(report.loaded.size(), 2u);
  EXPECT_THAT(report.unexpected, ElementsAre());
  run.step();
  EXPECT_TRUE(allclose(run.w.detach(), file.as_tensor({"then", "w"}), 1e-12, 0));
  EXPECT_TRUE(allclose(run.b.detach(), file.as_tensor({"then", "b"}), 1e-12, 0));
}

TEST(ToPyTorch, LBFGSLiesAtTheFirstParameter) {
  Problem run(tensor({1.0, 2.0, 3.0}, {.dtype = kFloat64}), tensor({0.5}, {.dtype = kFloat64}));
  EXPECT_EQ(to_pytorch(run.optimizer).size({"state"}), 0u);
  run.step();
  const Value saved = to_pytorch(run.optimizer),
              file = io::load(test::source_path("tests/fixtures/lbfgs.pth")).at({"optimizer"});
  ASSERT_EQ(saved.size({"state"}), 1u);
  for (const auto& [key, value] : file.entries({"state", 0})) {
    if (key.text() == "al") continue;  // PyTorch's working memory
    ASSERT_TRUE(saved.contains({"state", 0, key})) << key.to_string();
    const Value own = saved.at({"state", 0, key});
    EXPECT_EQ(own.kind(), value.kind()) << key.to_string();
    if (value.is(Value::Kind::List)) {
      ASSERT_EQ(own.size(), value.size()) << key.to_string();
      for (std::size_t i = 0; i < value.size(); ++i)
        EXPECT_TRUE(allclose(own.as_tensor({i}), value.as_tensor({i}), 1e-9, 1e-12)) << key.to_string();
    } else if (value.is(Value::Kind::Tensor)) {
      EXPECT_TRUE(allclose(own.as_tensor(), value.as_tensor(), 1e-9, 1e-12)) << key.to_string();
    } else {
      EXPECT_NEAR(own.as_double(), value.as_double(), 1e-9) << key.to_string();
    }
  }
  EXPECT_EQ(saved.as_int({"param_groups", 0, "max_eval"}), file.as_int({"param_groups", 0, "max_eval"}));
  Problem copy(run.w.detach(), run.b.detach());
  from_pytorch(saved, copy.optimizer);
  run.step();
  copy.step();
  EXPECT_TRUE(equal(run.w.detach(), copy.w.detach()));
}

TEST(FromPyTorch, LBFGSRefusesVectorsOfOtherParameters) {
  const Value file = io::load(test::source_path("tests/fixtures/lbfgs.pth")).at({"optimizer"});
  const nn::Parameter w(zeros({4}, {.dtype = kFloat64})), b(zeros({1}, {.dtype = kFloat64}));
  LBFGS other({w, b}, {});
  EXPECT_THAT(message_of<ValueError>([&] { from_pytorch(file, other); }),
              HasSubstr("need a vector over all parameters, [5], got [4]"));
  EXPECT_EQ(other.steps_of(w), 0);
}

}  // namespace
}  // namespace gradus::optim
