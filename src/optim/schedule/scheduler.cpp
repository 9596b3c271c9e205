#include <gradus/optim/lr_scheduler/scheduler.h>

#include <algorithm>

#include "core/recorded_step.h"
#include "optim/engine/watch.h"
#include "optim/schedule/check.h"

namespace gradus::optim::lr_scheduler {

namespace {

const Schedule& schedule_of(const Track& track, std::size_t order) {
  return track.schedules[std::min(order, track.schedules.size() - 1)];
}

// Beyond 2^53, a step and the next one are the same number.
bool is_step(double epoch) { return epoch >= 0 && epoch < 0x1p53; }

std::string base_key(const std::string& option, std::size_t group) {
  return "base." + option + "." + std::to_string(group);
}

}  // namespace

LRScheduler::LRScheduler(Optimizer& optimizer, const Schedule& schedule, const std::string& option)
    : LRScheduler(optimizer, std::vector{Track{option, {schedule}}}) {}

LRScheduler::LRScheduler(Optimizer& optimizer, const std::vector<Schedule>& groups, const std::string& option)
    : LRScheduler(optimizer, std::vector{Track{option, groups}}) {}

LRScheduler::LRScheduler(Optimizer& optimizer, const std::vector<Track>& tracks)
    : optimizer_(&optimizer), alive_(optimizer.alive()), tracks_(tracks), groups_(tracks.size()) {
  const std::string call = std::string(optimizer.name()) + ": a scheduler";
  if (tracks.empty()) throw ValueError(call + " needs an option to drive, got none");
  for (const Track& track : tracks) {
    const std::size_t given = track.schedules.size(), count = optimizer.group_count();
    if (given == 0 || (given != 1 && given != count)) {
      throw ValueError(call + " needs one schedule or one for each of the " + std::to_string(count) + " groups, got " +
                       std::to_string(given) + " for " + track.option);
    }
  }
  apply(0, current_groups());
  ticket_ = register_schedule(optimizer, name(), [schedule = tracks_[0].schedules[0]](double epoch) {
    return schedule.at(epoch).scale + schedule.at(epoch).offset;
  });
}

Optimizer& LRScheduler::optimizer() const {
  if (alive_.expired()) throw ValueError(name() + ": its optimizer is gone");
  return *optimizer_;
}

std::string LRScheduler::name() const { return tracks_[0].schedules[0].name(); }

const LRScheduler::Group* LRScheduler::find(std::size_t track, std::size_t id) const {
  for (const Group& group : groups_[track])
    if (group.id == id) return &group;
  return nullptr;
}

LRScheduler::Groups LRScheduler::current_groups() const {
  const Optimizer& opt = optimizer();
  Groups current(tracks_.size());
  for (std::size_t t = 0; t < tracks_.size(); ++t) {
    for (std::size_t g = 0; g < opt.group_count(); ++g) {
      const double value = read_option(opt, g, tracks_[t].option);
      const Group* known = find(t, opt.group_id(g));
      // One that was added later takes the last of a list: any order beyond the list does.
      Group group{opt.group_id(g), groups_[t].empty() ? g : tracks_[t].schedules.size(), value, value, {}};
      if (known != nullptr) {
        group = *known;
        const double base = (value - group.now.offset) / group.now.scale;
        if (value != group.written && group.now.scale != 0 && std::isfinite(base)) group.base = base;
      }
      current[t].push_back(group);
    }
  }
  return current;
}

void LRScheduler::apply(double epoch, Groups groups) {
  Optimizer& opt = optimizer();
  std::string place = name();
  place.append(" at step ").append(to_string(epoch)).append(": ");
  std::vector<std::function<void()>> undo;
  try {
    for (std::size_t t = 0; t < tracks_.size(); ++t) {
      for (std::size_t g = 0; g < groups[t].size(); ++g) {
        Group& group = groups[t][g];
        group.now = schedule_of(tracks_[t], group.order).at(epoch);
        group.written = group.now(group.base);
      }
    }
    for (std::size_t t = 0; t < tracks_.size(); ++t) {
      for (std::size_t g = 0; g < groups[t].size(); ++g) {
        const std::string& option = tracks_[t].option;
        const double before = read_option(opt, g, option), value = groups[t][g].written;
        if (value == before) continue;
        write_option(opt, g, option, value);
        undo.emplace_back([&opt, &option, g, before] { write_option(opt, g, option, before); });
      }
    }
  } catch (const ValueError& e) {
    std::for_each(undo.rbegin(), undo.rend(), [](const auto& back) { back(); });
    throw ValueError(place + e.what());
  }
  groups_ = std::move(groups);
  last_epoch_ = epoch;
  if (ticket_) ticket_->epoch = epoch;
}

void LRScheduler::step(double epoch) {
  core::refuse_recording(name() + ".step", core::kDecides);
  if (!is_step(epoch)) throw ValueError(name() + ".step: the step must be in [0, 2^53), got " + to_string(epoch));
  bool overwrites = false;
  for (std::size_t t = 0; t < tracks_.size(); ++t)
    for (std::size_t g = 0; g < optimizer().group_count(); ++g)
      if (const Group* group = find(t, optimizer().group_id(g)); group != nullptr && group->now.scale == 0)
        overwrites = overwrites || read_option(optimizer(), g, tracks_[t].option) != group->written;
  apply(epoch, current_groups());
  ++ticket_->steps;
  if (overwrites) ++ticket_->overwritten;
  tell_watchers(
      [&](Watcher& watcher) { watcher.after_schedule(ticket_.get(), name(), tracks_[0].option, optimizer()); });
}

std::vector<double> LRScheduler::get_last_lr() const {
  std::size_t track = 0;
  for (std::size_t t = 0; t < tracks_.size(); ++t)
    if (tracks_[t].option == "lr") track = t;
  std::vector<double> values;
  for (const Group& group : groups_[track]) values.push_back(group.written);
  return values;
}

State LRScheduler::state_dict() const {
  State state{{"last_epoch", last_epoch_}};
  const Groups groups = current_groups();
  for (std::size_t t = 0; t < tracks_.size(); ++t)
    for (std::size_t g = 0; g < groups[t].size(); ++g) state[base_key(tracks_[t].option, g)] = groups[t][g].base;
  return state;
}

void LRScheduler::load_state_dict(const State& state) {
  const std::string call = name() + ".load_state_dict: ";
  const auto epoch = state.find("last_epoch");
  if (epoch == state.end()) throw ValueError(call + "last_epoch is missing");
  if (!is_step(epoch->second)) {
    throw ValueError(call + "last_epoch must be in [0, 2^53), got " + to_string(epoch->second));
  }
  Groups groups = current_groups();
  std::size_t used = 1;
  for (std::size_t t = 0; t < tracks_.size(); ++t) {
    for (std::size_t g = 0; g < groups[t].size(); ++g) {
      const auto base = state.find(base_key(tracks_[t].option, g));
      if (base == state.end()) continue;
      if (!std::isfinite(base->second)) {
        throw ValueError(call + base->first + " must be finite, got " + to_string(base->second));
      }
      groups[t][g].base = base->second;
      ++used;
    }
  }
  if (used != state.size()) {
    throw ValueError(call + "the state has other options or more groups: " + std::to_string(state.size() - used) +
                     " of its " + std::to_string(state.size()) + " numbers have no place here");
  }
  apply(epoch->second, std::move(groups));
}

std::vector<Track> LRScheduler::combined(Optimizer& optimizer, const std::vector<LRScheduler>& schedulers,
                                         const Combine& combine) {
  std::vector<Track> tracks;
  std::map<std::string, std::size_t> counts;  // of schedules, by option
  for (const LRScheduler& scheduler : schedulers) {
    if (&scheduler.optimizer() != &optimizer) {
      throw ValueError(scheduler.name() + ": is bound to another optimizer (" + scheduler.optimizer().name() +
                       ") than the scheduler it is to be part of");
    }
    scheduler.ticket_->address = nullptr;  // from here on it is part of another
    for (const Track& track : scheduler.tracks_) {
      if (counts.count(track.option) == 0) tracks.push_back({track.option, {}});
      counts[track.option] = std::max(counts[track.option], track.schedules.size());
    }
  }
  if (schedulers.empty()) combine({});  // refuses
  const Schedule none("none", [](double) { return Scaling{}; });
  for (Track& track : tracks) {
    for (std::size_t i = 0; i < counts[track.option]; ++i) {
      std::vector<Schedule> parts;
      for (const LRScheduler& scheduler : schedulers) {
        const auto own = std::find_if(scheduler.tracks_.begin(), scheduler.tracks_.end(),
                                      [&](const Track& t) { return t.option == track.option; });
        parts.push_back(own == scheduler.tracks_.end() ? none : schedule_of(*own, i));
      }
      track.schedules.push_back(combine(parts));
    }
    // What they wrote at their construction, the last first, whichever order they are given in.
    for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
      double value = read_option(optimizer, g, track.option);
      std::vector<const Group*> wrote;
      for (const LRScheduler& scheduler : schedulers) {
        for (std::size_t t = 0; t < scheduler.tracks_.size(); ++t) {
          const Group* group = scheduler.find(t, optimizer.group_id(g));
          if (scheduler.tracks_[t].option == track.option && group != nullptr) wrote.push_back(group);
        }
      }
      for (;;) {
        const auto last = std::find_if(wrote.begin(), wrote.end(), [&](const Group* w) { return w->written == value; });
        if (last == wrote.end()) break;
        value = (*last)->base;
        wrote.erase(last);
      }
      write_option(optimizer, g, track.option, value);
    }
  }
  return tracks;
}

SequentialLR::SequentialLR(Optimizer& optimizer, const std::vector<LRScheduler>& schedulers,
                           const std::vector<std::int64_t>& milestones)
    : LRScheduler(optimizer, detail::name_optimizer(optimizer, [&] {
                    return combined(optimizer, schedulers,
                                    [&](const auto& parts) { return sequential(parts, milestones); });
                  })) {}

SequentialLR::SequentialLR(Optimizer& optimizer, const std::vector<Schedule>& schedules,
                           const std::vector<std::int64_t>& milestones, const std::string& option)
    : LRScheduler(optimizer, detail::name_optimizer(optimizer, [&] { return sequential(schedules, milestones); }),
                  option) {}

namespace {

Optimizer& optimizer_of(const std::vector<LRScheduler>& schedulers) {
  if (schedulers.empty()) chained({});  // refuses
  return schedulers[0].optimizer();
}

}  // namespace

ChainedScheduler::ChainedScheduler(const std::vector<LRScheduler>& schedulers)
    : ChainedScheduler(schedulers, optimizer_of(schedulers)) {}

ChainedScheduler::ChainedScheduler(const std::vector<LRScheduler>& schedulers, Optimizer& optimizer)
    : LRScheduler(optimizer,
                  detail::name_optimizer(optimizer, [&] { return combined(optimizer, schedulers, chained); })) {}

ChainedScheduler::ChainedScheduler(Optimizer& optimizer, const std::vector<Schedule>& schedules,
                                   const std::string& option)
    : LRScheduler(optimizer, detail::name_optimizer(optimizer, [&] { return chained(schedules); }), option) {}

}  // namespace gradus::optim::lr_scheduler
