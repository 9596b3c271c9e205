#include <gradus/optim/lr_scheduler/cosine.h>
#include <gradus/optim/lr_scheduler/warmup.h>

#include <algorithm>
#include <numbers>

#include "kernels/math.h"
#include "optim/schedule/check.h"

namespace gradus::optim::lr_scheduler {

namespace {

// Half a cosine from 1 at part 0 to 0 at part 1.
double half_cosine(double part) { return (1 + math::cos(std::numbers::pi * part)) / 2; }

Scaling between(double eta_min, double part) { return {part, eta_min * (1 - part)}; }

// start_factor to 1 over `warmup` steps.
double rise(double start, double t, double warmup) { return start + (1 - start) * (t / warmup); }

void check_warmup(const char* name, std::int64_t warmup, double start, double end) {
  need_at_least(0, name, "warmup_steps", warmup);
  need_part(name, "start_factor", start);
  need_part(name, "end_factor", end);
}

template <class Options, class Fall>
Schedule warm_then(const char* name, const Options& o, Fall fall) {
  check_warmup(name, o.warmup_steps, o.start_factor, o.end_factor);
  need(o.total_steps > o.warmup_steps, name, "total_steps", "above warmup_steps", o.total_steps);
  return {name, [warmup = static_cast<double>(o.warmup_steps), total = static_cast<double>(o.total_steps),
                 start = o.start_factor, end = o.end_factor, fall](double t) {
            if (t < warmup) return Scaling{rise(start, t, warmup)};
            return Scaling{end + (1 - end) * fall((std::min(t, total) - warmup) / (total - warmup))};
          }};
}

}  // namespace

Schedule CosineAnnealingLROptions::schedule() const {
  need_at_least(1, "CosineAnnealingLR", "T_max", T_max);
  need_finite("CosineAnnealingLR", "eta_min", eta_min);
  return {"CosineAnnealingLR",
          [n = static_cast<double>(T_max), low = eta_min](double t) { return between(low, half_cosine(t / n)); }};
}

Schedule CosineAnnealingWarmRestartsOptions::schedule() const {
  constexpr const char* name = "CosineAnnealingWarmRestarts";
  need_at_least(1, name, "T_0", T_0);
  need_at_least(1, name, "T_mult", T_mult);
  need_finite(name, "eta_min", eta_min);
  return {name, [first = static_cast<double>(T_0), growth = static_cast<double>(T_mult), low = eta_min](double t) {
            double length = first;
            if (growth == 1) {
              t = std::fmod(t, length);
            } else {
              while (t >= length) {
                t -= length;
                length *= growth;
              }
            }
            return between(low, half_cosine(t / length));
          }};
}

Schedule WarmupCosineLROptions::schedule() const { return warm_then("WarmupCosineLR", *this, half_cosine); }

Schedule WarmupLinearLROptions::schedule() const {
  return warm_then("WarmupLinearLR", *this, [](double part) { return 1 - part; });
}

Schedule WarmupStableDecayLROptions::schedule() const {
  constexpr const char* name = "WarmupStableDecayLR";
  check_warmup(name, warmup_steps, start_factor, end_factor);
  need_at_least(0, name, "stable_steps", stable_steps);
  need_at_least(1, name, "decay_steps", decay_steps);
  using Fall = double (*)(double);
  Fall fall = nullptr;
  if (decay == "linear") fall = [](double part) { return 1 - part; };
  if (decay == "cosine") fall = half_cosine;
  if (decay == "1-sqrt") fall = [](double part) { return 1 - std::sqrt(part); };
  need(fall != nullptr, name, "decay", "linear, cosine or 1-sqrt", decay);
  return {name, [warmup = static_cast<double>(warmup_steps), stable = static_cast<double>(stable_steps),
                 length = static_cast<double>(decay_steps), start = start_factor, end = end_factor, fall](double t) {
            if (t < warmup) return Scaling{rise(start, t, warmup)};
            return Scaling{end + (1 - end) * fall(std::clamp(t - warmup - stable, 0.0, length) / length)};
          }};
}

}  // namespace gradus::optim::lr_scheduler
