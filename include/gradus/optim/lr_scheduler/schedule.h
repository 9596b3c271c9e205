// A schedule by itself: what becomes of an option's base value at a step, as a closed form.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace gradus::optim::lr_scheduler {

// scale * base + offset. Schedules that scale have no offset; those that set a value have a scale of 0.
struct Scaling {
  double scale = 1, offset = 0;
  double operator()(double base) const { return scale * base + offset; }
};

class Schedule {
 public:
  // The step counts from 0: the state before anything was trained. Where steps are epochs, there are parts of them, as
  // step(epoch + i / batches) asks for; a form that takes an integer sees the whole ones.
  using Form = std::function<Scaling(double step)>;
  // A schedule of one's own; the name is for messages.
  Schedule(std::string name, Form form) : name_(std::move(name)), form_(std::move(form)) {}
  // That of a scheduler's options: `Schedule s = StepLROptions{.step_size = 30};`
  template <class Options>
  requires requires(const Options& options) {
    { options.schedule() } -> std::same_as<Schedule>;
  }
  Schedule(const Options& options) : Schedule(options.schedule()) {}

  const std::string& name() const { return name_; }
  Scaling at(double step) const { return form_(step); }
  double value(double base, double step) const { return at(step)(base); }

 private:
  std::string name_;
  Form form_;
};

// One after the other: schedule i + 1 begins at step milestones[i], and counts from there. ValueError unless there is
// one milestone less than schedules and they do not decrease.
Schedule sequential(const std::vector<Schedule>& schedules, const std::vector<std::int64_t>& milestones);

// All at once: the value that one schedule returns is the base value of the next.
Schedule chained(const std::vector<Schedule>& schedules);

}  // namespace gradus::optim::lr_scheduler
