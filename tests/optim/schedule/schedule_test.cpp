// Schedulers on an optimizer that changes under them.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "optim/schedule/schedules.h"
#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

using namespace optim::lr_scheduler;  // NOLINT

Tensor leaf() { return tensor({0.0}, {.dtype = kFloat64, .requires_grad = true}); }

double lr(const optim::Optimizer& opt, std::size_t group = 0) { return std::get<double>(opt.option(group, "lr")); }

// All numbers that schedules drive.
std::vector<double> numbers(const optim::Optimizer& opt) {
  std::vector<double> all;
  for (std::size_t g = 0; g < opt.group_count(); ++g) {
    all.push_back(lr(opt, g));
    if (std::string(opt.name()) == "SGD") all.push_back(std::get<double>(opt.option(g, "momentum")));
    if (std::string(opt.name()) == "Adam")
      all.push_back(std::get<std::pair<double, double>>(opt.option(g, "betas")).first);
  }
  return all;
}

// A closed form of every kind that PyTorch has, as recorded, and of those that it has not.
const nlohmann::json& kinds() {
  static const nlohmann::json all = [] {
    nlohmann::json list;
    for (const auto& recorded : test::schedules_trace()["cases"])
      if (recorded["schedule"] != "ReduceLROnPlateau") list.push_back(recorded);
    return list;
  }();
  return all;
}

struct Bound {
  std::unique_ptr<optim::Optimizer> opt;
  LRScheduler scheduler;
};
Bound bind(const nlohmann::json& kind) {
  auto opt = test::make_scheduled(kind["optimizer"]);
  auto scheduler = std::get<LRScheduler>(test::make_scheduler(kind["schedule"], kind["options"], *opt));
  return {std::move(opt), std::move(scheduler)};
}
const nlohmann::json& any_kind() { return kinds()[*rc::gen::inRange<std::size_t>(0, kinds().size())]; }

RC_GTEST_PROP(Schedules, AJumpGivesTheBitsOfGoingStepByStep, ()) {
  const auto& kind = any_kind();
  Bound walked = bind(kind), jumped = bind(kind);
  const auto target = *rc::gen::inRange<std::int64_t>(0, 300);
  for (std::int64_t t = 0; t < target; ++t) walked.scheduler.step();
  for (auto stop : *rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 900)))
    jumped.scheduler.step(stop);
  jumped.scheduler.step(target);
  RC_ASSERT(walked.scheduler.last_epoch() == target);
  RC_ASSERT(numbers(*walked.opt) == numbers(*jumped.opt));
  RC_ASSERT(walked.scheduler.get_last_lr() == jumped.scheduler.get_last_lr());
}

RC_GTEST_PROP(Schedules, SaveLoadContinueGivesTheSameBits, ()) {
  const auto& kind = any_kind();
  const bool edited = *rc::gen::arbitrary<bool>(), options_first = *rc::gen::arbitrary<bool>();
  const auto first = *rc::gen::inRange(0, 200), more = *rc::gen::inRange(0, 200);
  Bound whole = bind(kind), resumed = bind(kind);
  for (int i = 0; i < first; ++i) whole.scheduler.step();
  if (edited) whole.opt->set_option(1, "lr", lr(*whole.opt, 1) * 0.3 + 0.001);
  const State state = whole.scheduler.state_dict();
  const optim::OptimizerState options = whole.opt->state_dict();
  if (options_first) resumed.opt->load_state_dict(options);
  resumed.scheduler.load_state_dict(state);
  if (!options_first) resumed.opt->load_state_dict(options);
  for (int i = 0; i < more; ++i) {
    whole.scheduler.step();
    resumed.scheduler.step();
  }
  if (!edited || more > 0) RC_ASSERT(numbers(*whole.opt) == numbers(*resumed.opt));
}

RC_GTEST_PROP(Schedules, OneIntegerIsEnoughToResume, ()) {
  const auto& kind = any_kind();
  const auto t = *rc::gen::inRange(0, 900);
  Bound whole = bind(kind), resumed = bind(kind);
  for (int i = 0; i < t; ++i) whole.scheduler.step();
  resumed.scheduler.load_state_dict({{"last_epoch", t}});
  RC_ASSERT(numbers(*whole.opt) == numbers(*resumed.opt));
}

RC_GTEST_PROP(Schedules, PlateauResumesFromItsFewNumbers, ()) {
  const ReduceLROnPlateauOptions options{.factor = 0.5, .patience = 2, .cooldown = 3, .min_lr = {0.001, 0.002}};
  const auto opt = test::make_scheduled("SGD"), again = test::make_scheduled("SGD");
  ReduceLROnPlateau whole(*opt, options), resumed(*again, options);
  const auto metrics = *rc::gen::container<std::vector<double>>(
      40, rc::gen::map(rc::gen::inRange(0, 50), [](int x) { return static_cast<double>(x); }));
  const auto stop = *rc::gen::inRange<std::size_t>(0, metrics.size());
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (i == stop) resumed.load_state_dict(whole.state_dict());
    whole.step(metrics[i]);
    if (i >= stop) resumed.step(metrics[i]);
  }
  RC_ASSERT(numbers(*opt) == numbers(*again));
  RC_ASSERT(whole.state_dict() == resumed.state_dict());
}

RC_GTEST_PROP(Schedules, GroupsMayComeAndGo, ()) {
  // Each group follows base * gamma^t from its own base, whatever happens to the others.
  const double gamma = 0.9;
  optim::SGD opt(leaf(), {.lr = 1});
  ExponentialLR scheduler(opt, {.gamma = gamma});
  std::vector<double> bases{1};
  std::int64_t t = 0;
  for (int action : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4))) {
    if (action == 0) {
      bases.push_back(0.25 * static_cast<double>(bases.size() + 1));
      opt.add_param_group({.params = leaf(), .lr = bases.back()});
      scheduler.step(t);  // seen
    } else if (action == 1 && bases.size() > 1) {
      const auto gone = *rc::gen::inRange<std::size_t>(0, bases.size());
      bases.erase(bases.begin() + static_cast<std::ptrdiff_t>(gone));
      opt.remove_param_group(gone);
    } else {
      scheduler.step();
      ++t;
    }
  }
  scheduler.step(++t);
  for (std::size_t g = 0; g < bases.size(); ++g)
    RC_ASSERT(lr(opt, g) == bases[g] * std::pow(gamma, static_cast<double>(t)));
  RC_ASSERT(scheduler.get_last_lr().size() == bases.size());
}

TEST(Schedules, AListBelongsToTheGroupsItWasGivenFor) {
  optim::SGD opt({{.params = leaf()}, {.params = leaf()}}, {.lr = 1});
  StepLR scheduler(opt, {{.step_size = 1, .gamma = 0.5}, {.step_size = 2, .gamma = 0.1}});
  opt.add_param_group({.params = leaf(), .lr = 3});  // takes the last one
  scheduler.step();
  scheduler.step();
  EXPECT_EQ(scheduler.get_last_lr(), (std::vector<double>{0.25, 0.1, 3 * 0.1}));
  opt.remove_param_group(0);
  opt.add_param_group({.params = leaf(), .lr = 1});
  scheduler.step();
  EXPECT_EQ(scheduler.get_last_lr(), (std::vector<double>{0.1, 3 * 0.1, 0.1}));
  EXPECT_EQ(scheduler.get_last_lr()[0], lr(opt, 0));
}

TEST(Schedules, DriveAnyNumber) {
  optim::AdamW opt(leaf(), {.lr = 1, .weight_decay = 0.5});
  LinearLR decay(opt, {.start_factor = 1, .end_factor = 0, .total_iters = 4, .option = "weight_decay"});
  LRScheduler beta2(opt,
                    Schedule("ours",
                             [](std::int64_t t) {
                               return Scaling{1, -0.001 * static_cast<double>(t)};
                             }),
                    "betas[1]");
  decay.step();
  beta2.step();
  EXPECT_EQ(*opt.param_groups()[0].weight_decay, 0.375);
  EXPECT_EQ(*opt.param_groups()[0].betas, std::pair(0.9, 0.999 - 0.001));
  EXPECT_EQ(*opt.param_groups()[0].lr, 1);
  EXPECT_EQ(decay.get_last_lr(), std::vector<double>{0.375});
  optim::AdEMAMix triple(leaf());
  LRScheduler beta3(triple, Schedule("ours", [](std::int64_t) { return Scaling{0, 0.5}; }), "betas[2]");
  EXPECT_EQ((*triple.param_groups()[0].betas)[2], 0.5);

  for (const char* option : {"amsgrad", "betas", "betas[2]", "lr[0]", "rate", ""})
    EXPECT_THROW(StepLR(opt, {.step_size = 1, .option = option}), ValueError) << option;
}

TEST(Schedules, AnEditIsGoneOnFrom) {
  optim::SGD opt(leaf(), {.lr = 1, .momentum = 0.5});
  StepLR step(opt, {.step_size = 2, .gamma = 0.5});
  step.step(2);
  opt.param_groups()[0].lr = 4.0;
  step.step();
  EXPECT_EQ(lr(opt), 4);  // PyTorch too: no milestone, no change
  step.step();
  EXPECT_EQ(lr(opt), 2);

  // With a lower end, in proportion to the distance from it.
  optim::SGD other(leaf(), {.lr = 1});
  CosineAnnealingLR cosine(other, {.T_max = 4, .eta_min = 0.5});
  cosine.step(2);
  EXPECT_DOUBLE_EQ(lr(other), 0.75);
  other.param_groups()[0].lr = 1.0;
  cosine.step(0);
  EXPECT_DOUBLE_EQ(lr(other), 1.5);
  cosine.step(4);
  EXPECT_DOUBLE_EQ(lr(other), 0.5);
  // Here nothing of the base value is left: the schedule overwrites.
  other.param_groups()[0].lr = 7.0;
  cosine.step(0);
  EXPECT_DOUBLE_EQ(lr(other), 1.5);

  optim::SGD third(leaf(), {.lr = 1, .momentum = 0.5});
  CyclicLR cyclic(third, {.base_lr = 1, .max_lr = 2, .step_size_up = 2});
  third.param_groups()[0].lr = 100.0;
  cyclic.step();
  EXPECT_EQ(lr(third), 1.5);
}

TEST(Schedules, SeveralOnOneOptionMultiply) {
  // As in PyTorch, where schedulers may be stepped one after the other.
  optim::SGD opt(leaf(), {.lr = 1});
  ConstantLR constant(opt, {.factor = 0.5, .total_iters = 2});
  ExponentialLR exponential(opt, {.gamma = 0.5});
  for (double expected : {0.25, 0.25, 0.125}) {
    constant.step();
    exponential.step();
    EXPECT_DOUBLE_EQ(lr(opt), expected);
  }
}

TEST(Schedules, CombinedOnesTakeBackWhatTheirPartsWrote) {
  for (bool warm_first : {true, false}) {
    optim::SGD opt(leaf(), {.lr = 1, .momentum = 0.9});
    std::optional<LRScheduler> warm, flat, cycle;
    const auto make_warm = [&] { warm = LinearLR(opt, {.start_factor = 0.25, .total_iters = 3}); };
    if (warm_first) make_warm();
    flat = ConstantLR(opt, {.factor = 0.5, .total_iters = 100});
    if (!warm_first) make_warm();
    cycle = CyclicLR(opt, {.base_lr = 2, .max_lr = 4, .step_size_up = 2});
    SequentialLR all(opt, {*warm, *flat, *cycle}, {3, 5});
    std::vector<double> rates{lr(opt)}, momenta{*opt.param_groups()[0].momentum};
    for (int i = 0; i < 7; ++i) {
      all.step();
      rates.push_back(lr(opt));
      momenta.push_back(*opt.param_groups()[0].momentum);
    }
    EXPECT_EQ(rates, (std::vector<double>{0.25, 0.5, 0.75, 0.5, 0.5, 2, 3, 4}));
    // Only the cycle drives the momentum.
    EXPECT_EQ(momenta, (std::vector<double>{0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9 + (0.8 - 0.9) * 0.5, 0.8}));
  }
}

TEST(Schedules, UnboundOnesCombineToo) {
  const Schedule warm = LinearLROptions{.start_factor = 0.5, .total_iters = 2};
  const Schedule both = chained({sequential({warm, ExponentialLROptions{.gamma = 0.5}}, {2}),
                                 ConstantLROptions{.factor = 0.1, .total_iters = 3}});
  EXPECT_DOUBLE_EQ(both.value(10, 0), 0.5);
  EXPECT_DOUBLE_EQ(both.value(10, 1), 0.75);
  EXPECT_DOUBLE_EQ(both.value(10, 2), 1);
  EXPECT_DOUBLE_EQ(both.value(10, 4), 2.5);
  // Chained, an offset is scaled by what follows.
  const Schedule low =
      chained({CosineAnnealingLROptions{.T_max = 2, .eta_min = 1}, LinearLROptions{.start_factor = 0.5}});
  EXPECT_DOUBLE_EQ(low.value(3, 0), 1.5);
  optim::SGD opt({{.params = leaf()}, {.params = leaf()}}, {.lr = 1});
  LRScheduler different(opt, {Schedule(StepLROptions{.step_size = 1}), both});
  EXPECT_DOUBLE_EQ(lr(opt, 0), 1);
  EXPECT_DOUBLE_EQ(lr(opt, 1), 0.05);
}

TEST(Schedules, WarmUpAndThen) {
  const auto course = [](const Schedule& schedule, std::vector<std::int64_t> steps) {
    std::vector<double> values;
    for (std::int64_t t : steps) values.push_back(schedule.value(1, t));
    return values;
  };
  using V = std::vector<double>;
  const V cosine = course(WarmupCosineLROptions{.warmup_steps = 4, .total_steps = 12}, {0, 1, 4, 6, 8, 10, 12, 99});
  const V expected{0, 0.25, 1, (1 + std::sqrt(0.5)) / 2, 0.5, (1 - std::sqrt(0.5)) / 2, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(cosine[i], expected[i], 1e-15) << i;
  const V linear =
      course(WarmupLinearLROptions{.warmup_steps = 2, .total_steps = 6, .start_factor = 0.5, .end_factor = 0.2},
             {0, 1, 2, 4, 7});
  const V line{0.5, 0.75, 1, 0.6, 0.2};
  for (std::size_t i = 0; i < line.size(); ++i) EXPECT_NEAR(linear[i], line[i], 1e-15) << i;
  const auto wsd = [&](const char* decay) {
    return course(WarmupStableDecayLROptions{.warmup_steps = 2, .stable_steps = 3, .decay_steps = 4, .decay = decay},
                  {0, 1, 2, 4, 5, 6, 9, 50});
  };
  EXPECT_EQ(wsd("linear"), (V{0, 0.5, 1, 1, 1, 0.75, 0, 0}));
  EXPECT_EQ(wsd("1-sqrt"), (V{0, 0.5, 1, 1, 1, 0.5, 0, 0}));
  EXPECT_NEAR(wsd("cosine")[5], (1 + std::sqrt(0.5)) / 2, 1e-15);
  EXPECT_THROW(wsd("cubic"), ValueError);
  EXPECT_THROW((WarmupCosineLROptions{.warmup_steps = 4, .total_steps = 4}.schedule()), ValueError);
  EXPECT_THROW((WarmupLinearLROptions{.warmup_steps = -1, .total_steps = 4}.schedule()), ValueError);
  EXPECT_THROW((WarmupLinearLROptions{.total_steps = 4, .start_factor = 1.5}.schedule()), ValueError);
  EXPECT_THROW((WarmupStableDecayLROptions{.warmup_steps = 4}.schedule()), ValueError);
}

TEST(Schedules, WhatIsNotANumberIsRefusedEverywhere) {
  for (double bad : {std::nan(""), double{INFINITY}, -double{INFINITY}}) {
    optim::SGD opt(leaf(), {.lr = 1, .momentum = 0.9});
    const auto refused = [&](const char* schedule, const std::function<void()>& make) {
      const std::string said = message_of(make);
      EXPECT_EQ(said.rfind(std::string("SGD: ") + schedule, 0), 0u) << said;
      EXPECT_NE(said.find(std::isnan(bad) ? "got nan" : bad > 0 ? "got inf" : "got -inf"), std::string::npos) << said;
      EXPECT_EQ(lr(opt), 1);
    };
    refused("StepLR: gamma", [&] { StepLR(opt, {.step_size = 1, .gamma = bad}); });
    refused("MultiStepLR: gamma", [&] { MultiStepLR(opt, {.gamma = bad}); });
    refused("ConstantLR: factor", [&] { ConstantLR(opt, {.factor = bad}); });
    refused("LinearLR: start_factor", [&] { LinearLR(opt, {.start_factor = bad}); });
    refused("LinearLR: end_factor", [&] { LinearLR(opt, {.end_factor = bad}); });
    refused("ExponentialLR: gamma", [&] { ExponentialLR(opt, {.gamma = bad}); });
    refused("PolynomialLR: power", [&] { PolynomialLR(opt, {.power = bad}); });
    refused("CosineAnnealingLR: eta_min", [&] { CosineAnnealingLR(opt, {.T_max = 1, .eta_min = bad}); });
    refused("CosineAnnealingWarmRestarts: eta_min",
            [&] { CosineAnnealingWarmRestarts(opt, {.T_0 = 1, .eta_min = bad}); });
    refused("CyclicLR: base_lr", [&] { CyclicLR(opt, {.base_lr = bad, .max_lr = 1}); });
    refused("CyclicLR: max_lr", [&] { CyclicLR(opt, {.base_lr = 1, .max_lr = {bad}}); });
    refused("CyclicLR: gamma", [&] { CyclicLR(opt, {.base_lr = 1, .max_lr = 1, .gamma = bad}); });
    refused("CyclicLR: base_momentum", [&] { CyclicLR(opt, {.base_lr = 1, .max_lr = 1, .base_momentum = bad}); });
    refused("OneCycleLR: max_lr", [&] { OneCycleLR(opt, {.max_lr = bad, .total_steps = 9}); });
    refused("OneCycleLR: pct_start", [&] { OneCycleLR(opt, {.max_lr = 1, .total_steps = 9, .pct_start = bad}); });
    refused("OneCycleLR: max_momentum", [&] { OneCycleLR(opt, {.max_lr = 1, .total_steps = 9, .max_momentum = bad}); });
    refused("OneCycleLR: div_factor", [&] { OneCycleLR(opt, {.max_lr = 1, .total_steps = 9, .div_factor = bad}); });
    refused("OneCycleLR: final_div_factor",
            [&] { OneCycleLR(opt, {.max_lr = 1, .total_steps = 9, .final_div_factor = bad}); });
    refused("ReduceLROnPlateau: factor", [&] { ReduceLROnPlateau(opt, {.factor = bad}); });
    refused("ReduceLROnPlateau: threshold", [&] { ReduceLROnPlateau(opt, {.threshold = bad}); });
    refused("ReduceLROnPlateau: min_lr", [&] { ReduceLROnPlateau(opt, {.min_lr = bad}); });
    refused("ReduceLROnPlateau: eps", [&] { ReduceLROnPlateau(opt, {.eps = bad}); });
    EXPECT_EQ(
        message_of([&] { LambdaLR(opt, [=](std::int64_t) { return bad; }); }).rfind("LambdaLR at step 0: SGD: ", 0),
        0u);
    LRScheduler fine = ExponentialLR(opt, {.gamma = 1});
    EXPECT_THROW(fine.load_state_dict({{"last_epoch", bad}}), ValueError);
    EXPECT_THROW(fine.load_state_dict({{"last_epoch", 1}, {"base.lr.0", bad}}), ValueError);
    EXPECT_EQ(fine.last_epoch(), 0);
  }
}

TEST(Schedules, ArgumentsAreChecked) {
  optim::SGD opt({{.params = leaf()}, {.params = leaf()}}, {.lr = 1});
  optim::Adagrad plain(leaf(), {.lr = 1});
  const StepLR one(opt, {.step_size = 3});
  const auto says = [&](const std::string& expected, const std::function<void()>& make) {
    EXPECT_EQ(message_of(make), expected);
    EXPECT_EQ(lr(opt), 1);
  };
  says("SGD: StepLR: step_size must be at least 1, got 0", [&] { StepLR scheduler(opt); });
  says("SGD: MultiStepLR: milestones must be at least 0, got -1", [&] { MultiStepLR(opt, {.milestones = {3, -1}}); });
  says("SGD: LambdaLR: lr_lambda must be given", [&] { LambdaLR(opt, LambdaLROptions{}); });
  says("SGD: CosineAnnealingLR: T_max must be at least 1, got -1", [&] { CosineAnnealingLR(opt, {.T_max = -1}); });
  says("SGD: CosineAnnealingWarmRestarts: T_mult must be at least 1, got 0",
       [&] { CosineAnnealingWarmRestarts(opt, {.T_0 = 3, .T_mult = 0}); });
  says("SGD: CyclicLR: max_lr must be given", [&] { CyclicLR(opt, {.base_lr = 1}); });
  says("SGD: CyclicLR: max_lr must be one number or one for each of the 2 groups, got 3", [&] {
    CyclicLR(opt, {.base_lr = 1, .max_lr = {1, 2, 3}});
  });
  says("Adagrad: CyclicLR: cycle_momentum needs an optimizer with momentum or betas",
       [&] { CyclicLR(plain, {.base_lr = 1, .max_lr = 2}); });
  says("SGD: a scheduler needs one schedule or one for each of the 2 groups, got 3 for lr", [&] {
    StepLR(opt, {{.step_size = 1}, {.step_size = 1}, {.step_size = 1}});
  });
  says("SGD: StepLR: option must be the same for all groups, got lr and momentum", [&] {
    StepLR(opt, {{.step_size = 1}, {.step_size = 1, .option = "momentum"}});
  });
  says("SGD: SequentialLR: needs one milestone less than schedules, got 2 and 2", [&] {
    SequentialLR(opt, {one, one}, {1, 2});
  });
  says("SGD: SequentialLR: milestones must be at least 0 and not decrease, got 1", [&] {
    SequentialLR(opt, {one, one, one}, {2, 1});
  });
  says("SGD: SequentialLR: needs at least one schedule, got none",
       [&] { SequentialLR(opt, std::vector<LRScheduler>{}, {}); });
  says("ChainedScheduler: needs at least one schedule, got none",
       [&] { ChainedScheduler scheduler(std::vector<LRScheduler>{}); });
  says("Adagrad: StepLR: is bound to another optimizer (SGD) than the scheduler it is to be part of",
       [&] { ChainedScheduler({one}, plain); });
  says("SGD: ReduceLROnPlateau: patience must be at least 0, got -1",
       [&] { ReduceLROnPlateau(opt, {.patience = -1}); });
}

TEST(Schedules, ARefusedStepChangesNothing) {
  optim::SGD opt({{.params = leaf(), .lr = 1}, {.params = leaf(), .lr = 2, .name = "head"}});
  LambdaLR scheduler(opt, {[](std::int64_t) { return 0.5; }, [](std::int64_t t) { return t < 3 ? 0.5 : -1.0; }});
  scheduler.step(2);
  opt.param_groups()[0].lr = 4.0;
  EXPECT_EQ(message_of([&] { scheduler.step(); }),
            "LambdaLR at step 3: SGD: group 1 ('head'): lr must be finite and at least 0, got -2");
  EXPECT_EQ(scheduler.last_epoch(), 2);
  EXPECT_EQ(lr(opt, 0), 4);
  EXPECT_EQ(lr(opt, 1), 1);
  EXPECT_THROW(scheduler.step(-1), ValueError);
  EXPECT_THROW(scheduler.load_state_dict({{"last_epoch", -0.5}}), ValueError);
  EXPECT_THROW(scheduler.load_state_dict({{"base.lr.0", 1}}), ValueError);
  EXPECT_THROW(scheduler.load_state_dict({{"last_epoch", 1}, {"base.lr.2", 1}}), ValueError);
  EXPECT_EQ(lr(opt, 0), 4);
}

TEST(Schedules, OneCycleEndsWithItsSteps) {
  optim::SGD opt(leaf(), {.lr = 1, .momentum = 0.9});
  OneCycleLR scheduler(opt, {.max_lr = 1, .total_steps = 10, .anneal_strategy = "linear"});
  scheduler.step(9);
  const double last = lr(opt);
  EXPECT_DOUBLE_EQ(last, 1 / 25.0 / 1e4);
  scheduler.step();
  EXPECT_EQ(lr(opt), last);
  EXPECT_EQ(message_of([&] { scheduler.step(); }),
            "OneCycleLR at step 11: OneCycleLR: there are 10 steps, got step 11");
  // A rise of no or one step, of which PyTorch's divides by zero.
  for (double part : {0.0, 0.1, 1.0}) {
    OneCycleLR edge(opt, {.max_lr = 1, .total_steps = 10, .pct_start = part});
    EXPECT_TRUE(std::isfinite(lr(opt)));
  }
}

TEST(Schedules, KnowWhenTheirOptimizerIsGone) {
  auto opt = std::make_unique<optim::SGD>(leaf(), optim::SGDOptions{.lr = 1});
  StepLR scheduler(*opt, {.step_size = 1});
  ReduceLROnPlateau plateau(*opt);
  opt.reset();
  EXPECT_EQ(message_of([&] { scheduler.step(); }), "StepLR: its optimizer is gone");
  EXPECT_EQ(message_of([&] { (void)plateau.get_last_lr(); }), "ReduceLROnPlateau: its optimizer is gone");
}

// As PyTorch has them at parts of steps.
TEST(Schedules, GoBetweenSteps) {
  const std::vector<double> at{0.25, 2.9, 3.5, 7.75, 12.5};
  const auto expect = [&](const Schedule& schedule, const std::vector<double>& wanted) {
    for (std::size_t i = 0; i < at.size(); ++i) {
      optim::SGD opt(leaf(), {.lr = 1});
      LRScheduler scheduler(opt, schedule);
      scheduler.step(at[i]);
      EXPECT_NEAR(lr(opt), wanted[i], 1e-12) << schedule.name() << " at " << at[i];
      EXPECT_EQ(scheduler.last_epoch(), static_cast<std::int64_t>(at[i]));
    }
  };
  expect(CosineAnnealingWarmRestartsOptions{.T_0 = 10},
         {0.998458666866564, 0.8064535268264883, 0.7269952498697734, 0.11979701719998453, 0.8535533905932737});
  expect(CosineAnnealingWarmRestartsOptions{.T_0 = 3, .T_mult = 2, .eta_min = 0.01},
         {0.9831332840130887, 0.012711661792704722, 0.9831332840130887, 0.11229009655583864, 0.8063369073593167});
  expect(CosineAnnealingLROptions{.T_max = 10, .eta_min = 0.1},
         {0.9986128001799076, 0.8258081741438394, 0.7542957248827961, 0.2078173154799861, 0.23180194846605356});
  expect(ExponentialLROptions{.gamma = 0.5},
         {0.8408964152537145, 0.13397168281703664, 0.08838834764831845, 0.004645340292979379, 0.00017263349150062197});
  expect(StepLROptions{.step_size = 3}, {1, 1, 0.1, 0.01, 0.0001});
  expect(MultiStepLROptions{.milestones = {3, 7}}, {1, 1, 0.1, 0.01, 0.01});
  expect(ConstantLROptions{.factor = 0.5, .total_iters = 3}, {0.5, 0.5, 1, 1, 1});
  expect(LinearLROptions{.start_factor = 0.25}, {0.2875, 0.685, 0.775, 1, 1});
  expect(PolynomialLROptions{.total_iters = 10, .power = 2}, {0.950625, 0.5041, 0.4225, 0.050625, 0});
  expect(LambdaLROptions{[](double t) { return 1 / (1 + t); }}, {0.8, 1 / 3.9, 1 / 4.5, 1 / 8.75, 1 / 13.5});
  expect(LambdaLROptions{[](std::int64_t t) { return t % 2 == 0 ? 1.0 : 0.5; }}, {1, 1, 0.5, 0.5, 1});
  optim::SGD opt(leaf(), {.lr = 1, .momentum = 0.9});
  CyclicLR cyclic(opt, {.base_lr = 0.1, .max_lr = 1, .step_size_up = 4, .step_size_down = 6});
  cyclic.step(7.75);
  EXPECT_NEAR(lr(opt), 0.4375, 1e-12);
  OneCycleLR one(opt, {.max_lr = 1, .total_steps = 20});
  one.step(2.9);
  EXPECT_NEAR(lr(opt), 0.6393711458391302, 1e-12);
}

TEST(Schedules, GoOnFromBetweenSteps) {
  optim::SGD opt(leaf(), {.lr = 1}), other(leaf(), {.lr = 1});
  CosineAnnealingWarmRestarts scheduler(opt, {.T_0 = 10}), resumed(other, {.T_0 = 10});
  scheduler.step(3.5);
  resumed.load_state_dict(scheduler.state_dict());
  EXPECT_EQ(lr(other), lr(opt));
  scheduler.step();
  resumed.step();
  EXPECT_NEAR(lr(opt), 0.5782172325201155, 1e-12);  // at 4.5
  EXPECT_EQ(lr(other), lr(opt));
  EXPECT_THROW(scheduler.step(-0.5), ValueError);
  EXPECT_THROW(scheduler.step(1e30), ValueError);
  EXPECT_THROW(scheduler.step(std::nan("")), ValueError);
  EXPECT_EQ(scheduler.last_epoch(), 4);
}

}  // namespace
}  // namespace gradus
