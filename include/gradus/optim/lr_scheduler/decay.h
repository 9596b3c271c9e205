// Schedules that scale the base value: torch.optim.lr_scheduler. t is the step.
#pragma once

#include <limits>

#include <gradus/optim/lr_scheduler/scheduler.h>

namespace gradus::optim::lr_scheduler {

using Function = std::function<double(double step)>;  // one that takes an integer sees whole steps

namespace detail {

template <class Options>
std::vector<Options> options_of(std::initializer_list<Function> lr_lambdas) {
  std::vector<Options> all;
  for (const Function& lr_lambda : lr_lambdas) all.push_back(Options{lr_lambda});
  return all;
}

}  // namespace detail

struct LambdaLROptions {
  Function lr_lambda = {};
  std::string option = "lr";
  Schedule schedule() const;
};
// lr_lambda(t).
class LambdaLR : public SchedulerOf<LambdaLROptions> {
 public:
  using SchedulerOf::SchedulerOf;
  LambdaLR(Optimizer& optimizer, const Function& lr_lambda) : SchedulerOf(optimizer, LambdaLROptions{lr_lambda}) {}
  // One for each group.
  LambdaLR(Optimizer& optimizer, std::initializer_list<Function> lr_lambda)
      : SchedulerOf(optimizer, detail::options_of<LambdaLROptions>(lr_lambda)) {}
};

struct MultiplicativeLROptions {
  Function lr_lambda = {};
  std::string option = "lr";
  Schedule schedule() const;
};
// lr_lambda(1) lr_lambda(2) ... lr_lambda(floor(t)). A jump calls it for every step in between.
class MultiplicativeLR : public SchedulerOf<MultiplicativeLROptions> {
 public:
  using SchedulerOf::SchedulerOf;
  MultiplicativeLR(Optimizer& optimizer, const Function& lr_lambda)
      : SchedulerOf(optimizer, MultiplicativeLROptions{lr_lambda}) {}
  MultiplicativeLR(Optimizer& optimizer, std::initializer_list<Function> lr_lambda)
      : SchedulerOf(optimizer, detail::options_of<MultiplicativeLROptions>(lr_lambda)) {}
};

struct StepLROptions {
  std::int64_t step_size = 0;  // at least 1
  double gamma = 0.1;
  std::string option = "lr";
  Schedule schedule() const;
};
// gamma^floor(t / step_size).
using StepLR = SchedulerOf<StepLROptions>;

struct MultiStepLROptions {
  std::vector<std::int64_t> milestones = {};  // at least 0, in any order; repeated ones count again
  double gamma = 0.1;
  std::string option = "lr";
  Schedule schedule() const;
};
// gamma^(milestones up to t).
using MultiStepLR = SchedulerOf<MultiStepLROptions>;

struct ConstantLROptions {
  double factor = 1.0 / 3;       // in [0, 1]
  std::int64_t total_iters = 5;  // at least 0
  std::string option = "lr";
  Schedule schedule() const;
};
// factor before total_iters, 1 from then on.
using ConstantLR = SchedulerOf<ConstantLROptions>;

struct LinearLROptions {
  double start_factor = 1.0 / 3;  // in (0, 1]
  double end_factor = 1;          // in [0, 1]
  std::int64_t total_iters = 5;   // at least 1
  std::string option = "lr";
  Schedule schedule() const;
};
// From start_factor to end_factor over total_iters.
using LinearLR = SchedulerOf<LinearLROptions>;

struct ExponentialLROptions {
  double gamma = std::numeric_limits<double>::quiet_NaN();  // must be given
  std::string option = "lr";
  Schedule schedule() const;
};
// gamma^t.
using ExponentialLR = SchedulerOf<ExponentialLROptions>;

struct PolynomialLROptions {
  std::int64_t total_iters = 5;  // at least 1
  double power = 1;              // at least 0
  std::string option = "lr";
  Schedule schedule() const;
};
// (1 - t / total_iters)^power, then 0.
using PolynomialLR = SchedulerOf<PolynomialLROptions>;

}  // namespace gradus::optim::lr_scheduler
