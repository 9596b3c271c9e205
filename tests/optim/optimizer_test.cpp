#include <gradus/core/parallel.h>
#include <gradus/nn/containers.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

Tensor leaf(std::initializer_list<double> values) { return tensor(values, {.dtype = kFloat64, .requires_grad = true}); }

void set_grads(const optim::Optimizer& opt, double value) {
  for (Tensor& p : opt.parameters()) p.set_grad(full_like(p.detach(), value));
}

template <class O>
class OptimizerArguments : public testing::Test {};
using AllOptimizers =
    testing::Types<optim::SGD, optim::ASGD, optim::AdEMAMix, optim::Muon, optim::Rprop, optim::Adam, optim::AdamW,
                   optim::RAdam, optim::Adadelta, optim::LBFGS, optim::RMSprop, optim::Adamax, optim::Lion,
                   optim::AdamW8bit, optim::Lion8bit, optim::SGDScheduleFree, optim::AdamWScheduleFree, optim::Adagrad,
                   optim::Adafactor, optim::NAdam>;
TYPED_TEST_SUITE(OptimizerArguments, AllOptimizers);

TYPED_TEST(OptimizerArguments, AreTensorsListsModulesAndGroups) {
  using O = TypeParam;
  const Tensor p = zeros({2, 2}, {.requires_grad = true}), q = zeros({2, 2}, {.requires_grad = true});
  nn::Linear net(2, 2, {.bias = false});
  const auto count = [](const O& opt) { return opt.param_groups().size() * 100 + opt.parameters().size(); };
  EXPECT_EQ(count(O({p})), 101u);
  EXPECT_EQ(count(O(p)), 101u);
  EXPECT_EQ(count(O({p, q})), 102u);
  EXPECT_EQ(count(O({p}, {})), 101u);
  EXPECT_EQ(count(O({p}, {.lr = 0.5})), 101u);
  EXPECT_EQ(count(O({net.weight})), 101u);
  EXPECT_EQ(count(O({net.weight, p})), 102u);
  EXPECT_EQ(count(O(net)), 101u);
  EXPECT_EQ(count(O({net})), 101u);
  EXPECT_EQ(count(O({net.parameters()})), 101u);
  EXPECT_EQ(count(O({net.named_parameters()})), 101u);
  EXPECT_EQ(count(O({{.params = {p}}})), 101u);
  static_assert(!std::is_copy_constructible_v<O> && !std::is_move_constructible_v<O>);
}

TEST(OptimizerArguments, SeveralNumbersInBraces) {
  const Tensor p = zeros({2, 2}, {.requires_grad = true});
  optim::Adam adam({p}, {.betas = {0.8, 0.95}});
  EXPECT_EQ(adam.param_groups()[0].betas, (std::pair{0.8, 0.95}));
  optim::Adam twice({p}, {.betas = {{0.8, 0.95}}});
  EXPECT_EQ(twice.param_groups()[0].betas, (std::pair{0.8, 0.95}));
  adam.param_groups()[0].betas = {0.7, 0.9};
  EXPECT_EQ(adam.param_groups()[0].betas->first, 0.7);
  EXPECT_EQ(*optim::Rprop({p}, {.step_sizes = {1e-5, 10}}).param_groups()[0].step_sizes, (std::pair{1e-5, 10.0}));
  EXPECT_EQ((*optim::AdEMAMix({p}, {.betas = {0.9, 0.99, 0.999}}).param_groups()[0].betas)[2], 0.999);
  EXPECT_EQ((*optim::Muon({p}, {.ns_coefficients = {3, -4, 2}}).param_groups()[0].ns_coefficients)[1], -4);
  EXPECT_EQ(optim::Adafactor({p}, {.eps = {1e-20, 1e-2}}).param_groups()[0].eps->second, 1e-2);
  EXPECT_FALSE(optim::Adafactor({p}, {.eps = {std::nullopt, 1e-2}}).param_groups()[0].eps->first);
}

TEST(OptimizerGroups, UnsetOptionsTakeTheDefaultsAndSetOnesWin) {
  const Tensor a = leaf({1}), b = leaf({1}), c = leaf({1});
  // 1e-3 is the library's own default, 0 the momentum's: both are set here, and must not be taken for unset.
  optim::SGD opt({{.params = a}, {.params = b, .lr = 1e-3}, {.params = c, .momentum = 0.0}},
                 {.lr = 0.5, .momentum = 0.9});
  const auto groups = opt.param_groups();
  EXPECT_EQ(*groups[0].lr, 0.5);
  EXPECT_EQ(*groups[0].momentum, 0.9);
  EXPECT_EQ(*groups[1].lr, 1e-3);
  EXPECT_EQ(*groups[2].momentum, 0);
  EXPECT_EQ(*groups[2].nesterov, false);
}

TEST(OptimizerGroups, RatesChangedInPlaceTakeEffectAndKeepMomentum) {
  Tensor p = leaf({0});
  optim::SGD opt(p, {.lr = 1, .momentum = 0.5});
  set_grads(opt, 1);
  opt.step();  // v = 1, p = -1
  for (auto& group : opt.param_groups()) group.lr = *group.lr * 0.1;
  opt.step();  // v = 1.5, p = -1.15
  EXPECT_DOUBLE_EQ(p.item(), -1.15);
}

TEST(OptimizerGroups, AddAndRemoveWhileTraining) {
  Tensor a = leaf({0}), b = leaf({0});
  optim::SGD opt(a, {.lr = 1, .momentum = 0.5});
  set_grads(opt, 1);
  opt.step();
  opt.add_param_group({.params = b, .lr = 0.1});
  set_grads(opt, 1);
  opt.step();
  EXPECT_DOUBLE_EQ(a.item(), -2.5);
  EXPECT_DOUBLE_EQ(b.item(), -0.1);
  opt.remove_param_group(0);
  set_grads(opt, 1);
  opt.step();
  EXPECT_DOUBLE_EQ(a.item(), -2.5);
  EXPECT_DOUBLE_EQ(b.item(), -0.25);
  EXPECT_THROW(opt.remove_param_group(1), IndexError);
}

TEST(OptimizerGroups, RefusesWhatCannotBeTrainedAndNamesThePlaces) {
  const Tensor a = leaf({1}), b = leaf({1});
  EXPECT_NE(message_of([&] {
              optim::SGD({{.params = {a, b}}, {.params = b, .name = "head"}});
            }).find("group 1 ('head'): parameter 0 is already at group 0, parameter 1"),
            std::string::npos);
  EXPECT_NE(message_of([&] { optim::SGD opt({a, a}); }).find("already at group 0, parameter 0"), std::string::npos);
  EXPECT_NE(message_of([&] { optim::SGD opt(a * 2); }).find("result of an operation (mul)"), std::string::npos);
  EXPECT_NE(message_of([&] { optim::SGD opt(optim::Params{}); }).find("at least one parameter"), std::string::npos);
  EXPECT_NE(message_of([&] { optim::SGD opt(std::vector<optim::SGDOptions>{}); }).find("at least one group"),
            std::string::npos);
  EXPECT_NE(message_of([&] { optim::SGD opt(Tensor{}); }).find("undefined"), std::string::npos);
  EXPECT_NE(message_of([&] {
              optim::SGD opt(tensor({1, 2}));
            }).find("float32 or float64, got int64"),
            std::string::npos);
  optim::SGD opt(a);
  EXPECT_THROW(opt.add_param_group({.params = a}), ValueError);
  EXPECT_EQ(opt.group_count(), 1u);
}

TEST(OptimizerOptions, EveryNumberIsCheckedAlsoLater) {
  const Tensor a = leaf({1});
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  for (double bad : {-1.0, nan, inf, -inf}) {
    EXPECT_THROW(optim::SGD(a, {.lr = bad}), ValueError);
    EXPECT_THROW(optim::SGD(a, {.momentum = bad}), ValueError);
    EXPECT_THROW(optim::SGD(a, {.weight_decay = bad}), ValueError);
    EXPECT_THROW(optim::Adam(a, {.lr = bad}), ValueError);
    EXPECT_THROW(optim::Adam(a, {.eps = bad}), ValueError);
    EXPECT_THROW(optim::Adam(a, {.betas = std::pair(bad, 0.9)}), ValueError);
    EXPECT_THROW(optim::Adam(a, {.betas = std::pair(0.9, bad)}), ValueError);
    EXPECT_THROW(optim::AdamW(a, {.weight_decay = bad}), ValueError);
  }
  EXPECT_THROW(optim::SGD(a, {.dampening = nan}), ValueError);
  EXPECT_THROW(optim::Adam(a, {.betas = std::pair(1.0, 0.9)}), ValueError);
  EXPECT_THROW(optim::SGD(a, {.nesterov = true}), ValueError);
  EXPECT_THROW(optim::SGD(a, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), ValueError);

  Tensor p = leaf({1});
  optim::SGD opt({{.params = p, .name = "head"}}, {.lr = 0.1});
  set_grads(opt, 1);
  opt.param_groups()[0].lr = nan;
  EXPECT_EQ(message_of([&] { opt.step(); }), "SGD: group 0 ('head'): lr must be finite and at least 0, got nan");
  EXPECT_EQ(p.item(), 1);
  opt.param_groups()[0].lr.reset();  // the default again
  opt.step();
  EXPECT_DOUBLE_EQ(p.item(), 0.9);
  EXPECT_THROW(opt.set_option(0, "lr", -1.0), ValueError);
  EXPECT_THROW(opt.set_option(0, "beta", 1.0), ValueError);
  EXPECT_EQ(std::get<double>(opt.option(0, "lr")), 0.1);
}

TEST(OptimizerStep, NoGradientSkipsAndAZeroGradientDoesNot) {
  Tensor a = leaf({1}), b = leaf({1});
  optim::SGD opt({a, b}, {.lr = 0.1, .weight_decay = 0.5});
  b.set_grad(tensor({0.0}, {.dtype = kFloat64}));
  opt.step();
  EXPECT_EQ(a.item(), 1);
  EXPECT_DOUBLE_EQ(b.item(), 0.95);
  EXPECT_EQ(opt.steps_of(a), 0);
  EXPECT_EQ(opt.steps_of(b), 1);
}

TEST(OptimizerStep, MinimizeComputesOnlyWhatItOwns) {
  Tensor a = leaf({1}), b = leaf({1});
  b.set_grad(tensor({7.0}, {.dtype = kFloat64}));
  optim::SGD opt(a, {.lr = 0.1});
  opt.minimize((a * b).sum());
  EXPECT_DOUBLE_EQ(a.item(), 0.9);
  EXPECT_EQ(b.grad().item(), 7);
  EXPECT_EQ(b.item(), 1);
}

TEST(OptimizerStep, HooksRunAroundIt) {
  Tensor a = leaf({1});
  optim::SGD opt(a, {.lr = 1});
  std::string order;
  const auto before = opt.register_step_pre_hook([&](optim::Optimizer& o) {
    order += "a";
    set_grads(o, 1);
  });
  opt.register_step_post_hook([&](optim::Optimizer&) { order += a.item() == 0 ? "b" : "?"; });
  opt.step();
  opt.remove_hook(before);
  a.zero_grad();
  opt.step();
  EXPECT_EQ(order, "abb");
}

TEST(OptimizerStep, TheSameForAnyNumberOfThreadsAndShapeOfTensors) {
  const auto run = [](int threads, bool split) {
    const int saved = get_num_threads();
    set_num_threads(threads);
    manual_seed(3);
    const Tensor p = randn({100003}), g = randn({100003});
    std::vector<Tensor> parts;
    if (split) {
      for (auto [begin, n] : {std::pair{0, 1}, {1, 50000}, {50001, 50002}}) {
        Tensor x = p.narrow(0, begin, n).clone().requires_grad_();
        x.set_grad(g.narrow(0, begin, n).clone());
        parts.push_back(x);
      }
    } else {
      Tensor x = p.clone().requires_grad_();
      x.set_grad(g);
      parts.push_back(x);
    }
    optim::Adam opt(parts, {.weight_decay = 0.1, .amsgrad = true});
    for (int i = 0; i < 3; ++i) opt.step();
    set_num_threads(saved);
    for (Tensor& x : parts) x = x.detach();
    return cat(parts);
  };
  const Tensor one = run(1, false);
  EXPECT_TRUE(equal(one, run(3, false)));
  EXPECT_TRUE(allclose(one, run(2, true), 1e-6, 1e-7));
}

nn::Sequential small_net() { return nn::Sequential(nn::Linear(3, 4), nn::Linear(4, 2)); }

void train(nn::Sequential& net, optim::Optimizer& opt, int first, int last) {
  for (int i = first; i < last; ++i) {
    Generator generator(static_cast<std::uint64_t>(i));
    opt.minimize(net(randn({5, 3}, {}, &generator)).pow(2).sum());
  }
}

TEST(OptimizerState, SaveLoadContinueGivesTheSameBits) {
  manual_seed(1);
  nn::Sequential whole = small_net();
  nn::Sequential stopped = nn::clone(whole);
  optim::Adam a(whole, {.lr = 0.01, .amsgrad = true});
  train(whole, a, 0, 20);

  optim::Adam b(stopped, {.lr = 0.01, .amsgrad = true});
  train(stopped, b, 0, 10);
  nn::Sequential resumed = small_net();
  resumed.load_state_dict(stopped.state_dict());
  const optim::OptimizerState state = b.state_dict();
  optim::Adam d(resumed, {.lr = 0.5, .amsgrad = true});
  const auto report = d.load_state_dict(state);
  EXPECT_EQ(report.loaded.size(), 4u);
  EXPECT_EQ(*d.param_groups()[0].lr, 0.01);
  train(resumed, d, 10, 20);
  for (const auto& [name, tensor] : whole.state_dict())
    EXPECT_TRUE(equal(tensor, resumed.state_dict().at(name))) << name;
}

TEST(OptimizerState, FindsItsParametersByNameInOtherGroups) {
  manual_seed(1);
  nn::Sequential net = small_net();
  optim::Adam one(net, {.lr = 0.01});
  train(net, one, 0, 3);
  const auto p = net.parameters();
  optim::Adam two({{.params = {p[3], p[0]}}, {.params = {p[1], p[2]}}}, {.lr = 0.01});
  EXPECT_THROW(two.load_state_dict(one.state_dict()), ValueError);  // one group there, two here
  two.load_state_dict(one.state_dict(), {.options = false});
  for (const Tensor& x : p) {
    EXPECT_TRUE(equal(two.state_of(x, "exp_avg_sq"), one.state_of(x, "exp_avg_sq")));
    EXPECT_EQ(two.steps_of(x), 3);
  }
}

TEST(OptimizerState, ARefusedLoadChangesNothing) {
  manual_seed(1);
  nn::Sequential net = small_net();
  optim::Adam opt(net, {.lr = 0.01});
  train(net, opt, 0, 3);
  const auto refused = [&](const std::function<void(optim::OptimizerState&)>& damage, const char* said) {
    optim::OptimizerState state = opt.state_dict();
    state.groups[0].options["lr"] = 0.5;
    damage(state);
    const Tensor before = opt.state_of(net.parameters()[0], "exp_avg").clone();
    EXPECT_NE(message_of([&] { opt.load_state_dict(state); }).find(said), std::string::npos)
        << message_of([&] { opt.load_state_dict(state); });
    EXPECT_TRUE(equal(before, opt.state_of(net.parameters()[0], "exp_avg")));
    EXPECT_EQ(*opt.param_groups()[0].lr, 0.01);
    EXPECT_EQ(opt.steps_of(net.parameters()[0]), 3);
  };
  refused([](auto& s) { s.params["1.weight"].tensors["exp_avg"] = zeros({7}); }, "1.weight.exp_avg: needs [2, 4]");
  refused([](auto& s) { s.params["1.weight"].tensors["exp_avg"] = zeros({2, 4}, {kInt64}); }, "got [2, 4] int64");
  refused([](auto& s) { s.params["other"] = s.params["1.weight"]; }, "1 unexpected: other");
  refused([](auto& s) { s.optimizer = "SGD"; }, "the state is that of SGD");
  refused([](auto& s) { s.groups[0].options["eps"] = -1.0; }, "eps must be");
  refused([](auto& s) { s.groups[0].options["magic"] = -1.0; }, "no option 'magic'");
  refused([](auto& s) { s.params["1.weight"].step = -3; }, "a step of -3");
  optim::OptimizerState partial = opt.state_dict();
  partial.params.erase("0.bias");
  partial.groups[0].params.erase(partial.groups[0].params.begin() + 1);
  EXPECT_THROW(opt.load_state_dict(partial), ValueError);
  EXPECT_EQ(opt.load_state_dict(partial, {.strict = false}).missing, std::vector<std::string>{"0.bias"});
}

TEST(Optimizer, PrintsAsPyTorch) {
  const optim::SGD opt(leaf({1}), {.lr = 0.1, .momentum = 0.9});
  EXPECT_EQ(opt.to_string(),
            "SGD (\nParameter Group 0\n    dampening: 0\n    lr: 0.1\n    maximize: False\n    momentum: 0.9\n"
            "    nesterov: False\n    weight_decay: 0\n)");
  std::ostringstream out;
  out << opt;
  EXPECT_EQ(out.str(), opt.to_string());
}

}  // namespace
}  // namespace gradus
