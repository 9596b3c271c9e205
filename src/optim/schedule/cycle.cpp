#include <gradus/optim/lr_scheduler/cycle.h>

#include <algorithm>
#include <array>
#include <numbers>

#include "kernels/math.h"
#include "optim/schedule/check.h"

namespace gradus::optim::lr_scheduler {

namespace {

// One schedule for all groups, or one for each where one of the values is a list.
template <class Make>
Track track_of(std::string option, std::initializer_list<const PerGroup*> values, Make make) {
  std::size_t count = 1;
  for (const PerGroup* value : values) count = std::max(count, value->values().size());
  Track track{std::move(option), {}};
  for (std::size_t i = 0; i < count; ++i) track.schedules.push_back(make(i));
  return track;
}

std::vector<Track> cyclic_tracks(const Optimizer& optimizer, const CyclicLROptions& o) {
  constexpr const char* name = "CyclicLR";
  need_values(name, "base_lr", o.base_lr, optimizer);
  need_values(name, "max_lr", o.max_lr, optimizer);
  need_at_least(1, name, "step_size_up", o.step_size_up);
  need_at_least(1, name, "step_size_down", o.step_size_down.value_or(1));
  const auto up = static_cast<double>(o.step_size_up);
  const auto down = static_cast<double>(o.step_size_down.value_or(o.step_size_up));
  need_finite(name, "gamma", o.gamma);
  auto scale_fn = o.scale_fn;
  bool of_cycle = o.scale_mode == "cycle";
  if (scale_fn) {
    need(of_cycle || o.scale_mode == "iterations", name, "scale_mode", "cycle or iterations", o.scale_mode);
  } else {
    of_cycle = o.mode != "exp_range";
    if (o.mode == "triangular") scale_fn = [](double) { return 1.0; };
    if (o.mode == "triangular2") scale_fn = [](double cycle) { return 1 / math::pow(2.0, cycle - 1); };
    if (o.mode == "exp_range") scale_fn = [gamma = o.gamma](double t) { return math::pow(gamma, t); };
    need(static_cast<bool>(scale_fn), name, "mode", "triangular, triangular2 or exp_range", o.mode);
  }
  // 0 at the ends of a cycle, 1 at its top, scaled.
  const auto height = [=](double t) {
    const double cycle = std::floor(t / (up + down)), at = std::fmod(t, up + down);
    return (at <= up ? at / up : (up + down - at) / down) * scale_fn(of_cycle ? cycle + 1 : t);
  };
  const auto from_to = [&](const PerGroup& from, const PerGroup& to) {
    return [&, height](std::size_t i) {
      return Schedule("CyclicLR", [height, low = from[i], high = to[i]](double t) {
        return Scaling{0, low + (high - low) * height(t)};
      });
    };
  };
  std::vector<Track> tracks{track_of("lr", {&o.base_lr, &o.max_lr}, from_to(o.base_lr, o.max_lr))};
  if (o.cycle_momentum) {
    need_values(name, "base_momentum", o.base_momentum, optimizer);
    need_values(name, "max_momentum", o.max_momentum, optimizer);
    tracks.push_back(track_of(momentum_option(name, optimizer), {&o.base_momentum, &o.max_momentum},
                              from_to(o.max_momentum, o.base_momentum)));
  }
  return tracks;
}

// Where phases end, in steps from the start, and which of three values they lead to; the first starts from low.
enum Level { low, top, last };
struct Phase {
  double end;
  Level from, to;
};

std::vector<Track> one_cycle_tracks(const Optimizer& optimizer, const OneCycleLROptions& o) {
  constexpr const char* name = "OneCycleLR";
  std::int64_t total = 0;
  if (o.total_steps) {
    need_at_least(1, name, "total_steps", *o.total_steps);
    total = *o.total_steps;
  } else if (o.epochs && o.steps_per_epoch) {
    need_at_least(1, name, "epochs", *o.epochs);
    need_at_least(1, name, "steps_per_epoch", *o.steps_per_epoch);
    if (__builtin_mul_overflow(*o.epochs, *o.steps_per_epoch, &total)) {
      throw ValueError("OneCycleLR: epochs times steps_per_epoch is beyond 2^63, got " + std::to_string(*o.epochs) +
                       " and " + std::to_string(*o.steps_per_epoch));
    }
  } else {
    throw ValueError("OneCycleLR: total_steps, or epochs and steps_per_epoch, must be given");
  }
  need_values(name, "max_lr", o.max_lr, optimizer);
  need_part(name, "pct_start", o.pct_start);
  const bool cosine = o.anneal_strategy == "cos";
  need(cosine || o.anneal_strategy == "linear", name, "anneal_strategy", "cos or linear", o.anneal_strategy);
  for (const auto& [argument, value] :
       {std::pair("div_factor", o.div_factor), {"final_div_factor", o.final_div_factor}})
    need(std::isfinite(value) && value > 0, name, argument, "finite and above 0", value);

  const double rising = o.pct_start * static_cast<double>(total), end = static_cast<double>(total - 1);
  std::vector<Phase> phases{{rising - 1, low, top}};
  if (o.three_phase) phases.push_back({2 * rising - 2, top, low});
  phases.push_back({end, o.three_phase ? low : top, last});

  // Each of the three levels is a value of the option.
  const auto course = [=](double at_low, double at_top, double at_last) {
    return Schedule("OneCycleLR", [=, levels = std::array{at_low, at_top, at_last}](double t) {
      if (t > static_cast<double>(total)) {
        throw ValueError("OneCycleLR: there are " + std::to_string(total) + " steps, got step " + to_string(t));
      }
      const double now = std::min(t, end);
      std::size_t i = 0;
      while (i + 1 < phases.size() && now > phases[i].end) ++i;
      const double start = i == 0 ? 0 : phases[i - 1].end, length = phases[i].end - start;
      const double part = length > 0 ? (now - start) / length : 1;
      const double from = levels[phases[i].from], to = levels[phases[i].to];
      if (cosine) return Scaling{0, to + (from - to) / 2 * (math::cos(std::numbers::pi * part) + 1)};
      return Scaling{0, std::lerp(from, to, part)};
    });
  };
  std::vector<Track> tracks{track_of("lr", {&o.max_lr}, [&](std::size_t i) {
    const double first = o.max_lr[i] / o.div_factor;
    return course(first, o.max_lr[i], first / o.final_div_factor);
  })};
  if (o.cycle_momentum) {
    need_values(name, "base_momentum", o.base_momentum, optimizer);
    need_values(name, "max_momentum", o.max_momentum, optimizer);
    tracks.push_back(
        track_of(momentum_option(name, optimizer), {&o.base_momentum, &o.max_momentum},
                 [&](std::size_t i) { return course(o.max_momentum[i], o.base_momentum[i], o.max_momentum[i]); }));
  }
  return tracks;
}

}  // namespace

CyclicLR::CyclicLR(Optimizer& optimizer, const CyclicLROptions& options)
    : LRScheduler(optimizer, detail::name_optimizer(optimizer, [&] { return cyclic_tracks(optimizer, options); })) {}

OneCycleLR::OneCycleLR(Optimizer& optimizer, const OneCycleLROptions& options)
    : LRScheduler(optimizer, detail::name_optimizer(optimizer, [&] { return one_cycle_tracks(optimizer, options); })) {}

}  // namespace gradus::optim::lr_scheduler
