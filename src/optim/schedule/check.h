// What schedules have in common: checks of their arguments, and options as numbers.
#pragma once

#include <gradus/optim/lr_scheduler/scheduler.h>

#include <cmath>

namespace gradus::optim::lr_scheduler {

// "StepLR: step_size must be at least 1, got 0"
template <class T>
void need(bool valid, const char* schedule, const std::string& argument, const char* rule, const T& value) {
  if (valid) return;
  std::string text = schedule;
  text.append(": ").append(argument).append(" must be ").append(rule).append(", got ");
  throw ValueError(text.append(to_string(OptionValue(value))));
}

inline void need_finite(const char* schedule, const char* argument, double value) {
  need(std::isfinite(value), schedule, argument, "finite", value);
}
inline void need_at_least(std::int64_t low, const char* schedule, const char* argument, std::int64_t value) {
  need(value >= low, schedule, argument, low == 0 ? "at least 0" : "at least 1", value);
}
inline void need_part(const char* schedule, const char* argument, double value) {
  need(value >= 0 && value <= 1, schedule, argument, "finite and in [0, 1]", value);
}

// How many of the sorted milestones are passed at step t.
std::size_t count_up_to(double t, const std::vector<std::int64_t>& milestones);

// Throws unless `values` are finite numbers for all groups, or for each of them.
void need_values(const char* schedule, const char* argument, const PerGroup& values, const Optimizer& optimizer);

// An option, or one of a pair ("betas[0]"), of one group. ValueError where it is not a floating-point number.
double read_option(const Optimizer& optimizer, std::size_t group, const std::string& option);
void write_option(Optimizer& optimizer, std::size_t group, const std::string& option, double value);

// The option that is cycled as the momentum: "betas[0]" or "momentum". ValueError where there is none.
std::string momentum_option(const char* schedule, const Optimizer& optimizer);

}  // namespace gradus::optim::lr_scheduler
