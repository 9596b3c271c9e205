#include <gradus/optim/lr_scheduler/plateau.h>

#include <algorithm>
#include <limits>

#include "core/recorded_step.h"
#include "optim/engine/watch.h"
#include "optim/schedule/check.h"

namespace gradus::optim::lr_scheduler {

namespace {

constexpr const char* kName = "ReduceLROnPlateau";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check(const Optimizer& optimizer, const ReduceLROnPlateauOptions& o) {
  need(o.mode == "min" || o.mode == "max", kName, "mode", "min or max", o.mode);
  need(o.factor >= 0 && o.factor < 1, kName, "factor", "finite and in [0, 1)", o.factor);
  need_at_least(0, kName, "patience", o.patience);
  need_finite(kName, "threshold", o.threshold);
  need(o.threshold_mode == "rel" || o.threshold_mode == "abs", kName, "threshold_mode", "rel or abs", o.threshold_mode);
  need_at_least(0, kName, "cooldown", o.cooldown);
  need_values(kName, "min_lr", o.min_lr, optimizer);
  need(std::isfinite(o.eps) && o.eps >= 0, kName, "eps", "finite and at least 0", o.eps);
}

}  // namespace

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options)
    : optimizer_(&optimizer),
      alive_(optimizer.alive()),
      options_(options),
      best_(options.mode == "min" ? kInfinity : -kInfinity) {
  detail::name_optimizer(optimizer, [&] { check(optimizer, options); });
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    read_option(optimizer, g, options_.option);
    order_[optimizer.group_id(g)] = g;
  }
  plateau_of(optimizer);
}

Optimizer& ReduceLROnPlateau::optimizer() const {
  if (alive_.expired()) throw ValueError(std::string(kName) + ": its optimizer is gone");
  return *optimizer_;
}

bool ReduceLROnPlateau::better(double metric) const {
  const double sign = options_.mode == "min" ? -1 : 1;
  const double bar =
      options_.threshold_mode == "rel" ? best_ * (1 + sign * options_.threshold) : best_ + sign * options_.threshold;
  return options_.mode == "min" ? metric < bar : metric > bar;
}

void ReduceLROnPlateau::step(double metric) {
  core::refuse_recording("ReduceLROnPlateau.step", core::kDecides);
  // The reduction may throw: nothing else has changed then.
  ReduceLROnPlateau next = *this;
  ++next.last_epoch_;
  if (better(metric)) {
    next.best_ = metric;
    next.num_bad_epochs_ = 0;
  } else {
    ++next.num_bad_epochs_;
  }
  if (next.cooldown_counter_ > 0) {
    --next.cooldown_counter_;
    next.num_bad_epochs_ = 0;
  }
  const bool reduces = next.num_bad_epochs_ > options_.patience;
  if (reduces) {
    reduce();
    next.cooldown_counter_ = options_.cooldown;
    next.num_bad_epochs_ = 0;
  }
  *this = std::move(next);
  ++plateau_of(optimizer())->steps;
  tell_watchers([&](Watcher& watcher) {
    watcher.after_schedule(this, "ReduceLROnPlateau", options_.option, optimizer());
    watcher.after_metric(this, optimizer(), metric, options_.mode == "min", reduces);
  });
}

void ReduceLROnPlateau::reduce() {
  Optimizer& opt = optimizer();
  std::vector<std::pair<std::size_t, double>> changes;
  for (std::size_t g = 0; g < opt.group_count(); ++g) {
    const auto known = order_.find(opt.group_id(g));
    const double low = options_.min_lr[known == order_.end() ? options_.min_lr.values().size() : known->second];
    const double before = read_option(opt, g, options_.option), after = std::max(before * options_.factor, low);
    if (before - after > options_.eps) changes.emplace_back(g, after);
  }
  for (const auto& [group, value] : changes) write_option(opt, group, options_.option, value);
}

std::vector<double> ReduceLROnPlateau::get_last_lr() const {
  std::vector<double> values;
  for (std::size_t g = 0; g < optimizer().group_count(); ++g)
    values.push_back(read_option(optimizer(), g, options_.option));
  return values;
}

State ReduceLROnPlateau::state_dict() const {
  State state{{"last_epoch", static_cast<double>(last_epoch_)},
              {"best", best_},
              {"num_bad_epochs", static_cast<double>(num_bad_epochs_)},
              {"cooldown_counter", static_cast<double>(cooldown_counter_)}};
  const auto values = get_last_lr();
  for (std::size_t g = 0; g < values.size(); ++g) state[options_.option + "." + std::to_string(g)] = values[g];
  return state;
}

void ReduceLROnPlateau::load_state_dict(const State& state) {
  const std::string call = std::string(kName) + ".load_state_dict: ";
  const auto number = [&](const char* key) {
    const auto found = state.find(key);
    if (found == state.end()) throw ValueError(call + key + " is missing");
    return found->second;
  };
  const auto count = [&](const char* key) {
    const double value = number(key);
    if (!(value >= 0 && value < 9e15 && std::trunc(value) == value)) {
      throw ValueError(call + key + " must be an integer of at least 0, got " + to_string(value));
    }
    return static_cast<std::int64_t>(value);
  };
  const double best = number("best");
  const std::int64_t epoch = count("last_epoch"), bad = count("num_bad_epochs"), cooldown = count("cooldown_counter");
  Optimizer& opt = optimizer();
  for (std::size_t g = 0; g < opt.group_count(); ++g) {
    if (const auto value = state.find(options_.option + "." + std::to_string(g)); value != state.end())
      write_option(opt, g, options_.option, value->second);
  }
  best_ = best;
  last_epoch_ = epoch;
  num_bad_epochs_ = bad;
  cooldown_counter_ = cooldown;
}

}  // namespace gradus::optim::lr_scheduler
