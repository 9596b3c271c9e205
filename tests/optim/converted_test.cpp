// Parameters that are converted after their optimizer was made: the state follows, or the step is refused.
#include <gradus/nn/containers.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim/lookahead.h>
#include <gradus/optim/swa_utils.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include "all_optimizers.h"

namespace gradus {
namespace {

using test::OptimizerKind;

struct Training {
  nn::Sequential net{nn::Linear(5, 7), nn::Linear(7, 3)};
  std::unique_ptr<optim::Optimizer> inner;
  std::unique_ptr<optim::Lookahead> ahead;

  optim::Optimizer& opt() { return ahead ? *ahead : *inner; }
  void make(const OptimizerKind& kind, bool lookahead) {
    inner = kind.make({net.named_parameters()});
    test::set_options(*inner, 0, kind.full);
    if (lookahead) ahead = std::make_unique<optim::Lookahead>(*inner, optim::LookaheadOptions{.k = 2});
  }
  void step(int number) {
    Generator generator(static_cast<std::uint64_t>(number));
    const Tensor x = randn({4, 5}, {}, &generator).to(net.parameters()[0].dtype());
    opt().step([&] {
      opt().zero_grad();
      const Tensor loss = net(x).pow(2).mean();
      loss.backward();
      return loss;
    });
  }
  std::vector<std::vector<double>> values() const {
    std::vector<std::vector<double>> all;
    for (const Tensor& p : net.parameters()) all.push_back(p.to_vector<double>());
    return all;
  }
};

class Converted : public testing::TestWithParam<std::pair<const OptimizerKind*, bool>> {
 protected:
  void SetUp() override { manual_seed(1); }
};

// Against an optimizer that was made for the converted parameters and given the state.
TEST_P(Converted, StepsGoOnAsThoseOfANewOptimizer) {
  // These compute the point that trains from their state, where the converted one was rounded before.
  const double tolerance = GetParam().first->name.find("ScheduleFree") == std::string::npos ? 0 : 1e-5;
  for (const auto& [first, second] : {std::pair(kFloat32, kFloat64), std::pair(kFloat64, kFloat32)}) {
    Training run;
    run.net.to(first);
    run.make(*GetParam().first, GetParam().second);
    for (int i = 0; i < 3; ++i) run.step(i);
    run.net.to(second);
    Training fresh;
    fresh.net.to(second);
    fresh.net.load_state_dict(run.net.state_dict());
    fresh.make(*GetParam().first, GetParam().second);
    fresh.opt().load_state_dict(run.opt().state_dict());
    for (int i = 3; i < 7; ++i) {
      run.step(i);
      fresh.step(i);
      const auto one = run.values(), other = fresh.values();
      for (std::size_t p = 0; p < one.size(); ++p)
        for (std::size_t k = 0; k < one[p].size(); ++k)
          ASSERT_NEAR(one[p][k], other[p][k], tolerance) << to_string(second) << " after step " << i;
    }
    for (const Tensor& p : run.net.parameters()) {
      EXPECT_EQ(p.dtype(), second);
      for (const auto& [name, state] : run.opt().state_tensors(p)) EXPECT_EQ(state.dtype(), second) << name;
    }
  }
}

// As PyTorch's load_state_dict: state takes the type of the parameter that it is loaded for.
TEST_P(Converted, LoadsTheStateOfAnotherType) {
  for (const auto& [first, second] : {std::pair(kFloat32, kFloat64), std::pair(kFloat64, kFloat32)}) {
    Training run;
    run.net.to(first);
    run.make(*GetParam().first, GetParam().second);
    for (int i = 0; i < 3; ++i) run.step(i);
    const optim::OptimizerState state = run.opt().state_dict();
    Training fresh;
    fresh.net.to(second);
    fresh.make(*GetParam().first, GetParam().second);
    fresh.opt().load_state_dict(state);
    const auto parameters = fresh.net.parameters(), before = run.net.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto tensors = fresh.opt().state_tensors(parameters[i]);
      EXPECT_EQ(tensors.size(), run.opt().state_tensors(before[i]).size());
      for (const auto& [name, tensor] : tensors) {
        EXPECT_EQ(tensor.dtype(), second) << name;
        EXPECT_TRUE(equal(tensor, run.opt().state_tensors(before[i]).at(name).to(second))) << name;
      }
    }
    fresh.step(3);
  }
}

TEST_P(Converted, HalvesAreRefusedAndNothingChanges) {
  for (const bool before : {true, false}) {  // with and without state
    for (const Dtype half : {kBFloat16, kFloat16}) {
      Training run;
      run.make(*GetParam().first, GetParam().second);
      if (!before) run.step(0);
      run.net.to(half);
      const auto values = run.values();
      try {
        run.step(1);
        ADD_FAILURE() << "nothing thrown";
      } catch (const ValueError& error) {
        EXPECT_NE(std::string(error.what()).find(to_string(half)), std::string::npos) << error.what();
      }
      EXPECT_EQ(run.values(), values);
      run.net.to(kFloat32);
      run.step(2);
      EXPECT_NE(run.values(), values);
      for (const Tensor& p : run.net.parameters()) EXPECT_TRUE(isfinite(p.detach()).all().item<bool>());
    }
  }
}

std::vector<std::pair<const OptimizerKind*, bool>> kinds() {
  std::vector<std::pair<const OptimizerKind*, bool>> all;
  for (const OptimizerKind& kind : test::all_optimizers())
    for (const bool lookahead : {false, true}) all.emplace_back(&kind, lookahead);
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, Converted, testing::ValuesIn(kinds()), [](const auto& kind) {
  return kind.param.first->name + (kind.param.second ? "InLookahead" : "");
});

TEST(ConvertedLookahead, ChecksParametersWithoutAGradientToo) {
  nn::Linear net(2, 4, {.bias = false});
  optim::SGD sgd(net.parameters(), {.lr = 1.0});
  optim::Lookahead opt(sgd, {.k = 1});
  opt.step();
  net.to(kBFloat16);
  EXPECT_THROW(opt.step(), ValueError);
}

TEST(ConvertedScheduleFree, ShowsBothPoints) {
  for (const Dtype dtype : {kFloat64, kBFloat16, kFloat16}) {
    nn::Linear net(2, 4, {.bias = false});
    {
      NoGrad guard;
      net.weight.fill_(0);
    }
    optim::SGDScheduleFree opt(net.parameters(), {.lr = 0.5});
    for (int i = 0; i < 3; ++i) opt.minimize(net.weight.sum());
    const Tensor trained = net.weight.detach().clone();
    net.eval();
    const Tensor averaged = net.weight.detach().clone();
    net.train();
    net.to(dtype);
    EXPECT_TRUE(equal(net.weight.detach(), trained.to(dtype)));
    EXPECT_TRUE(equal(net.state_dict().at("weight"), averaged.to(dtype))) << to_string(dtype);
    net.eval();
    EXPECT_TRUE(equal(net.weight.detach(), averaged.to(dtype))) << to_string(dtype);
    net.train();
    EXPECT_TRUE(allclose(net.weight.detach().to(kFloat32), trained, 0.01, 0)) << to_string(dtype);
  }
}

TEST(ConvertedAverages, RefuseWhatIsNotLikeThem) {
  nn::Linear net(3, 3);
  optim::swa_utils::AveragedModel<nn::Linear> average(net);
  average.update_parameters(net);
  net.to(kFloat64);
  EXPECT_THROW(average.update_parameters(net), ValueError);
  average.to(kFloat64);
  average.update_parameters(net);
  // The function itself takes pairs of other types by value, and refuses other sizes.
  const auto ema = optim::swa_utils::get_ema_multi_avg_fn(0.5);
  std::vector<Tensor> averaged{zeros({64})}, current{ones({64}, {.dtype = kBFloat16})};
  ema(averaged, current, 1);
  EXPECT_TRUE(equal(averaged[0], full({64}, 0.5)));
  current[0] = ones({65});
  EXPECT_THROW(ema(averaged, current, 1), ShapeError);
}

TEST(ConvertedGroups, MayDifferInType) {
  nn::Linear a(3, 3), b(3, 3);
  optim::Adam opt(std::vector<optim::AdamOptions>{{.params = a.parameters()}});
  opt.minimize(a(ones({2, 3})).sum());
  a.to(kFloat64);
  opt.add_param_group({.params = b.parameters()});
  const auto loss = [&] { return a(ones({2, 3}, {.dtype = kFloat64})).sum().to(kFloat32) + b(ones({2, 3})).sum(); };
  opt.minimize(loss());
  EXPECT_EQ(opt.state_of(a.weight, "exp_avg").dtype(), kFloat64);
  EXPECT_EQ(opt.state_of(b.weight, "exp_avg").dtype(), kFloat32);
}

}  // namespace
}  // namespace gradus
