// Which point is seen when: the average in evaluation, checkpoints and copies, the other one in training.
#include <gradus/nn/containers.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim/schedule_free.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

namespace gradus {
namespace {

struct ScheduleFree : testing::Test {
  nn::Sequential net = make();
  static nn::Sequential make() {
    manual_seed(5);
    return nn::Sequential(nn::Linear(3, 37), nn::Linear(37, 2));
  }
  static void train(nn::Sequential& module, optim::Optimizer& opt, int first, int last) {
    for (int i = first; i < last; ++i) {
      Generator generator(static_cast<std::uint64_t>(i));
      opt.minimize((module(randn({5, 3}, {}, &generator)) - 1).pow(2).sum());
    }
  }
  static std::vector<Tensor> values(const nn::Module& module) {
    std::vector<Tensor> all;
    for (const Tensor& p : module.parameters()) all.push_back(p.detach().clone());
    return all;
  }
  static void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(equal(a[i], b[i])) << "parameter " << i;
  }
  static bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!equal(a[i], b[i])) return false;
    return true;
  }
  static std::vector<Tensor> averages(const optim::Optimizer& opt) {
    std::vector<Tensor> all;
    for (const Tensor& p : opt.parameters())
      if (const Tensor x = opt.state_of(p, "x"); x.defined()) all.push_back(x.clone());
    return all;
  }
};

TEST_F(ScheduleFree, EvalShowsTheAverageAndTrainTheOtherPointBitForBit) {
  nn::Sequential undisturbed = nn::clone(net);
  optim::AdamWScheduleFree opt(net.parameters(), {.lr = 0.01}), other(undisturbed, {.lr = 0.01});
  net.eval();  // before there is any average
  net.train();
  train(net, opt, 0, 10);
  train(undisturbed, other, 0, 10);
  const auto training = values(net);
  EXPECT_FALSE(same(training, averages(opt)));
  net.eval();
  expect_same(values(net), averages(opt));
  net.eval();
  expect_same(values(net), averages(opt));
  net.train();
  expect_same(values(net), training);
  train(net, opt, 10, 20);
  train(undisturbed, other, 10, 20);
  expect_same(values(net), values(undisturbed));
}

TEST_F(ScheduleFree, OnePartOfTheNetworkMaySwitchAlone) {
  optim::SGDScheduleFree opt(net, {.lr = 0.01});
  train(net, opt, 0, 10);
  const auto training = values(net);
  net[1].eval();
  const auto now = values(net);
  EXPECT_TRUE(equal(now[0], training[0]));
  EXPECT_TRUE(equal(now[2], opt.state_of(net.parameters()[2], "x")));
  EXPECT_FALSE(equal(now[2], training[2]));
}

TEST_F(ScheduleFree, AStepOnShownAveragesTrainsOnFromTheOtherPoint) {
  nn::Sequential reference = nn::clone(net);
  optim::SGDScheduleFree opt(net, {.lr = 0.01}), other(reference, {.lr = 0.01});
  train(net, opt, 0, 10);
  train(reference, other, 0, 10);
  const auto set_grads = [](optim::Optimizer& o) {
    for (Tensor& p : o.parameters()) p.set_grad(full_like(p.detach(), 0.25));
  };
  net.eval();
  set_grads(opt);
  set_grads(other);
  opt.step();
  other.step();
  expect_same(values(net), values(reference));
  net.eval();
  expect_same(values(net), averages(opt));
}

TEST_F(ScheduleFree, StateDictsAndCopiesHoldTheAverage) {
  optim::AdamWScheduleFree opt(net, {.lr = 0.01});
  train(net, opt, 0, 10);
  const auto training = values(net), average = averages(opt);
  const nn::StateDict dict = net.state_dict();
  ASSERT_EQ(dict.size(), 4u);
  std::size_t i = 0;
  for (const auto& [name, tensor] : dict) EXPECT_TRUE(equal(tensor, average[i++])) << name;
  expect_same(values(nn::clone(net)), average);
  expect_same(values(net), training);
}

TEST_F(ScheduleFree, ContinuesExactlyInWhicheverOrderTheStatesAreLoaded) {
  for (bool network_first : {false, true})
    for (bool evaluating : {false, true}) {
      nn::Sequential whole = make(), stopped = make(), resumed = make();
      const optim::AdamWScheduleFreeOptions options{.lr = 0.01, .warmup_steps = 15};
      optim::AdamWScheduleFree a(whole, options), b(stopped, options), c(resumed, options);
      train(whole, a, 0, 20);
      train(stopped, b, 0, 10);
      train(resumed, c, 0, 3);
      if (evaluating) resumed.eval();
      if (network_first) resumed.load_state_dict(stopped.state_dict());
      c.load_state_dict(b.state_dict());
      if (!network_first) resumed.load_state_dict(stopped.state_dict());
      if (evaluating) {
        expect_same(values(resumed), averages(b));
        resumed.train();
      }
      expect_same(values(resumed), values(stopped));
      train(resumed, c, 10, 20);
      expect_same(values(resumed), values(whole));
    }
}

TEST_F(ScheduleFree, OtherWeightsStartTheAverageAnew) {
  const nn::Sequential start = nn::clone(net);
  optim::SGDScheduleFree opt(net, {.lr = 0.01});
  train(net, opt, 0, 10);
  net.load_state_dict(start.state_dict());
  expect_same(values(net), values(start));
  net.eval();
  expect_same(values(net), values(start));
  net.train();
  nn::Sequential fresh = nn::clone(start);
  optim::SGDScheduleFree other(fresh, {.lr = 0.01});
  train(net, opt, 0, 10);
  train(fresh, other, 0, 10);
  expect_same(values(net), values(fresh));
  expect_same(averages(opt), averages(other));
}

TEST_F(ScheduleFree, FrozenPartsShowTheAverageAndContinueExactly) {
  nn::Sequential undisturbed = nn::clone(net);
  optim::SGDScheduleFree opt(net, {.lr = 0.01}), other(undisturbed, {.lr = 0.01});
  train(net, opt, 0, 10);
  train(undisturbed, other, 0, 10);
  const auto training = values(net), average = averages(opt);
  nn::freeze(net[1]);
  net.eval().train();
  const auto frozen = values(net);
  for (std::size_t i : {0u, 1u}) EXPECT_TRUE(equal(frozen[i], training[i]));
  for (std::size_t i : {2u, 3u}) EXPECT_TRUE(equal(frozen[i], average[i]));
  nn::unfreeze(net[1]);
  expect_same(values(net), training);
  train(net, opt, 10, 20);
  train(undisturbed, other, 10, 20);
  expect_same(values(net), values(undisturbed));
}

TEST_F(ScheduleFree, LeavesTheAverageBehind) {
  std::vector<Tensor> average;
  {
    optim::SGDScheduleFree opt(net, {.lr = 0.01});
    train(net, opt, 0, 10);
    average = averages(opt);
    EXPECT_FALSE(same(values(net), average));
    opt.add_param_group({.params = zeros({1}, {.requires_grad = true})});
    opt.remove_param_group(0);
    expect_same(values(net), average);
    opt.add_param_group({.params = net});
    train(net, opt, 0, 10);
    average = averages(opt);
  }
  expect_same(values(net), average);
  net.eval().train();  // nobody is asked any more
  expect_same(values(net), average);
}

}  // namespace
}  // namespace gradus
