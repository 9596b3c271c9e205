// Rates, and what drives them.
#include <fmt/format.h>
#include <gradus/nn/freeze.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

using Watch = Audit::Watch;
using Names = std::vector<std::string>;

bool has_rate(const Optimizer& optimizer) {
  for (const std::string& name : optimizer.option_names())
    if (name == "lr") return true;
  return false;
}

double rate_of(const Optimizer& optimizer, std::size_t group) {
  const OptionValue value = optimizer.option(group, "lr");
  const double* rate = std::get_if<double>(&value);
  return rate == nullptr ? 1 : *rate;
}

// Whether a schedule that is bound to it will lift a rate of zero.
bool will_rise(const Optimizer& optimizer) {
  for (const auto& ticket : schedules_of(optimizer))
    for (const double ahead : {1, 2, 10, 100})
      if (ticket->scale && ticket->scale(ticket->epoch + ahead) != 0) return true;
  return false;
}

// Whether a schedule has held the rate at zero for at least three of its steps, or of the optimizer's.
bool stays_at_zero(const Watch::Known& k) {
  for (const auto& ticket : schedules_of(*k.optimizer)) {
    if (!ticket->scale || ticket->scale(ticket->epoch) != 0) continue;
    if (ticket->epoch >= 3 && ticket->scale(ticket->epoch - 3) == 0) return true;
    const auto seen = k.schedules.find(ticket.get());
    if (seen != k.schedules.end() && k.steps - seen->second.at >= 3) return true;
  }
  return false;
}

// Where a course ends: with its last change, or with the last step that it has. 0: nowhere below a million.
double length_of(const ScheduleTicket& s) {
  constexpr double kFar = 1 << 20;
  const auto at = [&](double t) -> std::optional<double> {
    try {
      return s.scale(t);
    } catch (const Error&) {  // it has no such step
      return {};
    }
  };
  const auto last = at(kFar);
  if (at(2 * kFar) != last || at(kFar + 1) != last) return 0;
  double low = 0, high = kFar;
  while (high - low > 1) {
    const double middle = std::floor((low + high) / 2);
    (at(middle) == last && at(middle + 1) == last ? high : low) = middle;
  }
  return last ? high : low;
}

// A course of which less than half is over, if it has an end, or a lowest rate as a cosine has.
double course_of(const ScheduleTicket& s) {
  if (s.name != "CosineAnnealingLR") return length_of(s);
  double t = 1;
  while (t < 1e5 && s.scale(t) < s.scale(t - 1)) ++t;
  return t - 1;
}

// Said of any training that ends here. Where the optimizer has made as many steps as the course has, its unit is known.
void about_unit(const Conclusions& c, const Watch::Known& k, const ScheduleTicket& s, const std::string& name) {
  const char* courses[] = {"OneCycleLR", "WarmupCosineLR", "WarmupLinearLR", "LinearLR", "CosineAnnealingLR"};
  if (std::find(std::begin(courses), std::end(courses), s.name) == std::end(courses)) return;
  if (s.steps < 2 || k.started || k.steps < 10) return;
  const double length = course_of(s), steps = static_cast<double>(k.steps);
  if (length < 4 || s.epoch >= length / 2) return;
  const bool other_unit = std::abs(steps - length) <= steps / static_cast<double>(s.steps) && k.steps >= 2 * s.steps;
  c.add("schedule-late", {name},
        fmt::format("it stands at {} of the {} steps of its course after {} of its optimizer{}", s.epoch.load(), length,
                    k.steps, other_unit ? ", which has made all of them" : ": training that ends here ends within it"));
}

void about_one(const Conclusions& c, const Watch::Known& k, const ScheduleTicket& s) {
  const std::string name = s.name + " of " + k.name;
  const std::int64_t steps = s.steps;
  const double epoch = s.epoch;
  if (steps == 0 && k.steps >= 10)
    c.add("schedule-unused", {name},
          fmt::format("its step() has not been called in {} steps of its optimizer", k.steps));
  if (s.overwritten >= 2)
    c.add("rate-overwritten", {name},
          fmt::format("{} times it replaced a rate that was set by hand", s.overwritten.load()));
  if (!s.scale) return;
  about_unit(c, k, s, name);
  if (steps >= 10 && epoch < 1e6 && (s.name == "StepLR" || s.name == "MultiStepLR")) {
    double change = 1;
    while (change < 1 << 20 && s.scale(change) == s.scale(0)) ++change;
    if (epoch < change && static_cast<double>(k.steps) >= change && change < 1 << 20)
      c.add("schedule-late", {name},
            fmt::format("it stands at {}, and its first change comes at {}: training that ends here has one rate",
                        epoch, change));
  }
  if (steps < 3 || epoch < 2) return;
  const double first = s.scale(0), now = s.scale(epoch);
  if (s.name == "CosineAnnealingLR") {
    double lowest = 0;
    for (double t = 1; t <= epoch && t < 1e6; ++t)
      if (s.scale(t) < s.scale(lowest)) lowest = t;
    if (lowest < epoch && now > s.scale(lowest) + 0.01 * std::abs(first - s.scale(lowest)))
      c.add("schedule-over", {name},
            fmt::format("it is at step {}, and rates have risen again since step {}, where its course ended", epoch,
                        lowest));
  }
  // Stepped with each batch, it falls to a tenth or less within the data.
  std::int64_t in_epoch = 0;
  for (const auto& [key, schedule] : k.schedules)
    if (schedule.name == s.name) in_epoch = std::max(in_epoch, schedule.most_in_epoch);
  const bool falls = s.name == "StepLR" || s.name == "MultiStepLR" || s.name == "ExponentialLR";
  if (falls && in_epoch >= 3 && std::abs(s.scale(static_cast<double>(in_epoch))) <= 0.1000001 * std::abs(first)) {
    c.add("schedule-over", {name},
          fmt::format("it was stepped {} times in one pass over the data, which cuts rates to {:.2g} of what they were",
                      in_epoch, s.scale(static_cast<double>(in_epoch)) / first));
    return;
  }
  if (now != 0 && std::abs(now) < 1e-6 * std::abs(first))
    c.add("schedule-over", {name},
          fmt::format("after {} steps it has cut rates to {:.1e} of the first", epoch, now / first));
}

// Schedules of one optimizer, beside each other and one after the other.
void about_several(const Conclusions& c, const Watch::Known& k) {
  for (const auto& [key, schedule] : k.schedules) {
    if (schedule.together < 3 || 2 * schedule.together < schedule.calls) continue;
    Names without;
    for (const Watch::Known& other : c.watch.optimizers)
      if (&other != &k && other.optimizer != nullptr && other.steps > 0 && schedules_of(*other.optimizer).empty())
        without.push_back(other.name);
    c.add("schedules-together", {schedule.name + " of " + k.name},
          fmt::format("it and {} were stepped beside each other {} times{}", schedule.partner, schedule.together,
                      without.empty() ? "" : fmt::format(", while {} has no schedule", fmt::join(without, ", "))));
  }
  for (const auto& [name, count] : past_schedules_of(*k.optimizer))
    if (count >= 3)
      c.add("schedule-rebuilt", {name + " of " + k.name},
            fmt::format("{} of them were made, stepped and given up", count));
  if (k.resumed_at > 0)
    c.add("schedule-restarted", {k.restarted + " of " + k.name},
          fmt::format("its optimizer goes on from step {}, and it from the beginning", k.resumed_at));
}

// A double that is exactly a float, and not a short decimal.
bool went_through_float(double x) {
  if (!(x > 0) || static_cast<double>(static_cast<float>(x)) != x) return false;
  return fmt::format("{}", x).size() > 9;
}

}  // namespace

void conclude_schedules(const Conclusions& c) {
  const Watch& watch = c.watch;
  Names idle, early;
  for (const Watch::Known& k : watch.optimizers) {
    for (const auto& [key, schedule] : k.schedules) {
      if (schedule.twice >= 2)
        c.add("schedule-twice", {schedule.name + " of " + k.name},
              fmt::format("{} times it was stepped again with no step of its optimizer in between", schedule.twice));
      const bool idle_since = schedule.at == k.steps && schedule.count > 1 && schedule.twice < 2;
      if (k.steps == 0 || idle_since)
        idle.push_back(schedule.name + " of " + k.name);
      else if (schedule.first)
        early.push_back(schedule.name + " of " + k.name);
    }
    if (k.optimizer == nullptr) continue;
    for (std::size_t g = 0; has_rate(*k.optimizer) && g < k.optimizer->group_count(); ++g)
      if (const double rate = rate_of(*k.optimizer, g); went_through_float(rate))
        c.add("float-rate", {fmt::format("{}[{}]", k.name, g)},
              fmt::format("lr is {}, which was {} as a float", rate, static_cast<float>(rate)));
    if (watch.watching) {
      for (const auto& ticket : schedules_of(*k.optimizer)) about_one(c, k, *ticket);
      about_several(c, k);
    }
    for (const auto& [key, m] : k.metrics) {
      const bool against = m.count >= 4 && m.worse >= 3 * std::max<std::int64_t>(m.better, 1) &&
                           ((m.last > m.first) == m.falls) && m.last != m.first;
      if (against && m.reductions > 0 && std::isfinite(m.last))
        c.add("wrong-mode", {"ReduceLROnPlateau of " + k.name},
              fmt::format(
                  "mode \"{}\", while the metric went from {:.4g} to {:.4g} in {} steps and the rate was cut {} time{}",
                  m.falls ? "min" : "max", m.first, m.last, m.count, m.reductions, m.reductions == 1 ? "" : "s"));
      const double rate = has_rate(*k.optimizer) ? rate_of(*k.optimizer, 0) : 0;
      if (!against && m.reductions >= 3 && rate > 0 && rate < 1e-5 * m.first_rate)
        c.add("schedule-over", {"ReduceLROnPlateau of " + k.name},
              fmt::format("it cut the rate {} times in {} steps, from {:.3g} to {:.3g}", m.reductions, m.count,
                          m.first_rate, rate),
              "rates are too small to train: single batches are too noisy a metric for its patience",
              "plateau.step(validation_loss) once in an epoch, or a patience in batches");
    }
  }
  for (const auto& [name, count] : watch.idle_foreign)
    if (count >= 3 && watch.total_steps >= count) idle.push_back(name);
  c.add("idle-schedule", idle);
  c.add("schedule-first", early);

  Names zero;
  for (const void* impl : watch.order) {
    const Watch::Watched& p = watch.parameters.at(impl);
    if (!p.tensor.requires_grad()) continue;
    bool now = false, rising = false, stays = false;
    for (const Watch::Known& k : watch.optimizers) {
      if (k.optimizer == nullptr || !has_rate(*k.optimizer)) continue;
      for (std::size_t g = 0; g < k.optimizer->group_count(); ++g)
        for (const auto& [name, own] : k.optimizer->group_params(g))
          if (own.is_same(p.tensor) && rate_of(*k.optimizer, g) == 0) {
            now = true;
            rising = rising || will_rise(*k.optimizer);
          }
    }
    for (const Watch::Known& k : watch.optimizers)
      if (k.optimizer != nullptr && now && watch.watching && owns(*k.optimizer, p.tensor))
        stays = stays || stays_at_zero(k);
    const bool always = p.zero_rate_steps > 0 && p.rated_steps == 0 && (!rising || p.zero_rate_steps >= 3);
    if (watch.watching ? (now && (always || stays)) || p.zero_rate_run >= 3 : now && !rising) zero.push_back(p.name);
  }
  c.add("zero-rate", zero);
}

}  // namespace gradus::optim
