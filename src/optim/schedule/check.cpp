#include "optim/schedule/check.h"

#include <algorithm>

namespace gradus::optim::lr_scheduler {

namespace {

// "betas[1]" is the second number of betas; -1: the option itself.
std::pair<std::string, int> parse(const std::string& option) {
  const std::size_t n = option.size();
  if (n < 4 || option[n - 3] != '[' || option[n - 1] != ']' || option[n - 2] < '0' || option[n - 2] > '9')
    return {option, -1};
  return {option.substr(0, n - 3), option[n - 2] - '0'};
}

// The number in `value` that a schedule may drive; null where there is none.
double* number_in(OptionValue& value, int part) {
  if (part < 0) return std::get_if<double>(&value);
  if (auto* pair = std::get_if<std::pair<double, double>>(&value)) {
    return part == 0 ? &pair->first : part == 1 ? &pair->second : nullptr;
  }
  if (auto* tuple = std::get_if<NumberTuple>(&value); tuple && static_cast<std::size_t>(part) < tuple->size()) {
    auto& number = (*tuple)[static_cast<std::size_t>(part)];
    return number ? &*number : nullptr;
  }
  return nullptr;
}

}  // namespace

std::size_t count_up_to(double t, const std::vector<std::int64_t>& milestones) {
  const auto next = std::upper_bound(milestones.begin(), milestones.end(), t,
                                     [](double step, std::int64_t m) { return step < static_cast<double>(m); });
  return static_cast<std::size_t>(next - milestones.begin());
}

void need_values(const char* schedule, const char* argument, const PerGroup& values, const Optimizer& optimizer) {
  const auto& given = values.values();
  if (!values.each() && given.empty()) throw ValueError(std::string(schedule) + ": " + argument + " must be given");
  if (values.each() && given.size() != optimizer.group_count()) {
    throw ValueError(std::string(schedule) + ": " + argument + " must be one number or one for each of the " +
                     std::to_string(optimizer.group_count()) + " groups, got " + std::to_string(given.size()));
  }
  for (double value : given) need_finite(schedule, argument, value);
}

double read_option(const Optimizer& optimizer, std::size_t group, const std::string& option) {
  const auto [name, part] = parse(option);
  OptionValue value = optimizer.option(group, name);
  if (const double* number = number_in(value, part)) return *number;
  throw ValueError(std::string(optimizer.name()) + ": a schedule drives a floating-point option, as lr or betas[0]; " +
                   name + " is " + to_string(value) + ", got " + option);
}

void write_option(Optimizer& optimizer, std::size_t group, const std::string& option, double value) {
  const auto [name, part] = parse(option);
  OptionValue changed = optimizer.option(group, name);
  *number_in(changed, part) = value;
  optimizer.set_option(group, name, changed);
}

std::string momentum_option(const char* schedule, const Optimizer& optimizer) {
  const auto names = optimizer.option_names();
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (has("betas")) return "betas[0]";
  if (has("momentum")) return "momentum";
  throw ValueError(std::string(schedule) + ": cycle_momentum needs an optimizer with momentum or betas");
}

}  // namespace gradus::optim::lr_scheduler
