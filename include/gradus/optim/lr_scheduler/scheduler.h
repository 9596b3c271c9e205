// A schedule bound to the groups of an optimizer.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>

#include <gradus/optim/lr_scheduler/schedule.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {
struct ScheduleTicket;
}

namespace gradus::optim::lr_scheduler {

// What a scheduler needs to go on: "last_epoch", and the base values, "base.lr.0" for group 0. The first alone will do
// where the optimizer has its original options.
using State = std::map<std::string, double>;

// An option with what drives it. "betas[0]" is the first of a pair.
struct Track {
  std::string option;
  std::vector<Schedule> schedules;  // one for all groups, or one for each
};

// Numbers for all groups, or one for each.
class PerGroup {
 public:
  PerGroup() = default;  // not given
  PerGroup(double value) : values_{value} {}
  PerGroup(std::initializer_list<double> values) : values_(values), each_(true) {}
  PerGroup(const std::vector<double>& values) : values_(values), each_(true) {}

  const std::vector<double>& values() const { return values_; }
  bool each() const { return each_; }
  double operator[](std::size_t i) const { return values_[i < values_.size() ? i : values_.size() - 1]; }

 private:
  std::vector<double> values_;
  bool each_ = false;
};

// What every scheduler is. StepLR and the others only have constructors of their own, so a StepLR may be kept as an
// LRScheduler. Copies drive the same optimizer.
//
// The constructor applies step 0, as in PyTorch. A group's base value is what its option is when the scheduler sees the
// group first: at construction, or at the first step() after it was added. A list of schedules belongs to the groups
// that are there at construction; groups that are added later take its last. Removed groups are forgotten.
//
// An option that was written in between is taken for a new value to go on from: the base value changes in proportion,
// so that the schedule returns the written value at the current step. Where the schedule does not depend on the base
// value (CyclicLR, OneCycleLR, any factor of 0) it overwrites what was written.
class LRScheduler {
 public:
  LRScheduler(Optimizer& optimizer, const Schedule& schedule, const std::string& option = "lr");
  LRScheduler(Optimizer& optimizer, const std::vector<Schedule>& groups, const std::string& option = "lr");
  LRScheduler(Optimizer& optimizer, const std::vector<Track>& tracks);

  // To the next step, after the optimizer's. ValueError, and nothing changes, where a value is out of its option's
  // range, or the optimizer is gone.
  void step() { step(last_epoch_ + 1); }
  // To any step, forwards or backwards: the same bits as going there one by one. Also to one between two, as in
  // step(epoch + i / batches); step() goes on from there.
  void step(double epoch);

  std::int64_t last_epoch() const { return static_cast<std::int64_t>(last_epoch_); }  // the current step, whole
  // What it wrote last, for each group; of "lr", or of the only option that it drives.
  std::vector<double> get_last_lr() const;

  State state_dict() const;
  // Goes to the saved step and writes the options.
  void load_state_dict(const State& state);

  Optimizer& optimizer() const;  // ValueError when it is gone
  const std::vector<Track>& tracks() const { return tracks_; }
  std::string name() const;

 protected:
  // The tracks of several schedulers as one. What they wrote at their construction is taken back.
  using Combine = std::function<Schedule(const std::vector<Schedule>&)>;
  static std::vector<Track> combined(Optimizer& optimizer, const std::vector<LRScheduler>& schedulers,
                                     const Combine& combine);

 private:
  struct Group {
    std::size_t id;     // the optimizer's
    std::size_t order;  // which of a list of schedules
    double base, written;
    Scaling now;  // of the current step
  };
  using Groups = std::vector<std::vector<Group>>;  // one list per track
  const Group* find(std::size_t track, std::size_t id) const;
  // The groups as they are now, with edits taken into their base values.
  Groups current_groups() const;
  // Moves the groups to a step and writes their options: all, or none.
  void apply(double epoch, Groups groups);

  Optimizer* optimizer_;
  std::weak_ptr<const void> alive_;
  std::vector<Track> tracks_;
  Groups groups_;
  double last_epoch_ = 0;
  std::shared_ptr<ScheduleTicket> ticket_;  // what audits know of it; copies share it
};

namespace detail {
// "SGD: " before what making a schedule has to say.
template <class Make>
auto name_optimizer(const Optimizer& optimizer, Make&& make) {
  try {
    return make();
  } catch (const ValueError& e) {
    throw ValueError(std::string(optimizer.name()) + ": " + e.what());
  }
}
}  // namespace detail

// The scheduler whose options are of type Options, which has schedule() and `option`.
template <class Options>
class SchedulerOf : public LRScheduler {
 public:
  SchedulerOf(Optimizer& optimizer, const Options& options = {})
      : LRScheduler(optimizer, detail::name_optimizer(optimizer, [&] { return options.schedule(); }), options.option) {}
  // One for each group. They drive the same option.
  template <std::same_as<std::vector<Options>> Groups>  // not what braces could mean
  SchedulerOf(Optimizer& optimizer, const Groups& groups)
      : LRScheduler(optimizer, detail::name_optimizer(optimizer, [&] { return schedules(groups); }),
                    groups.front().option) {}
  SchedulerOf(Optimizer& optimizer, std::initializer_list<Options> groups)
      : SchedulerOf(optimizer, std::vector<Options>(groups)) {}

 private:
  static std::vector<Schedule> schedules(const std::vector<Options>& groups) {
    if (groups.empty()) throw ValueError("a scheduler needs options for every group, got none");
    std::vector<Schedule> all;
    for (const Options& group : groups) {
      all.push_back(group.schedule());
      if (group.option != groups.front().option) {
        throw ValueError(all.back().name() + ": option must be the same for all groups, got " + groups.front().option +
                         " and " + group.option);
      }
    }
    return all;
  }
};

// As torch.optim.lr_scheduler.SequentialLR: schedules one after the other, as `sequential`.
//   LinearLR warm(opt, {.start_factor = 0.1, .total_iters = 20});
//   CosineAnnealingLR cosine(opt, {.T_max = 80});
//   SequentialLR scheduler(opt, {warm, cosine}, {20});
// From then on step only this one. An option that one of them does not drive has its base value meanwhile.
class SequentialLR : public LRScheduler {
 public:
  SequentialLR(Optimizer& optimizer, const std::vector<LRScheduler>& schedulers,
               const std::vector<std::int64_t>& milestones);
  SequentialLR(Optimizer& optimizer, const std::vector<Schedule>& schedules,
               const std::vector<std::int64_t>& milestones, const std::string& option = "lr");
};

// As torch.optim.lr_scheduler.ChainedScheduler: schedules at once, as `chained`.
class ChainedScheduler : public LRScheduler {
 public:
  explicit ChainedScheduler(const std::vector<LRScheduler>& schedulers);
  ChainedScheduler(const std::vector<LRScheduler>& schedulers, Optimizer& optimizer);
  ChainedScheduler(Optimizer& optimizer, const std::vector<Schedule>& schedules, const std::string& option = "lr");
};

}  // namespace gradus::optim::lr_scheduler
