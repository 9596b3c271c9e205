#include <gradus/optim/lr_scheduler/cosine.h>
#include <gradus/optim/lr_scheduler/warmup.h>

#include <algorithm>
#include <numbers>

#include "optim/schedule/check.h"

namespace gradus::optim::lr_scheduler {

namespace {

// Half a cosine from 1 at part 0 to 0 at part 1.
double half_cosine(double part) { return (1 + std::cos(std::numbers::pi * part)) / 2; }

double ratio(std::int64_t a, std::int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

Scaling between(double eta_min, double part) { return {part, eta_min * (1 - part)}; }

// start_factor to 1 over `warmup` steps.
double rise(double start, std::int64_t t, std::int64_t warmup) { return start + (1 - start) * ratio(t, warmup); }

void check_warmup(const char* name, std::int64_t warmup, double start, double end) {
  need_at_least(0, name, "warmup_steps", warmup);
  need_part(name, "start_factor", start);
  need_part(name, "end_factor", end);
}

template <class Options, class Fall>
Schedule warm_then(const char* name, const Options& o, Fall fall) {
  check_warmup(name, o.warmup_steps, o.start_factor, o.end_factor);
  need(o.total_steps > o.warmup_steps, name, "total_steps", "above warmup_steps", o.total_steps);
  return {name, [warmup = o.warmup_steps, total = o.total_steps, start = o.start_factor, end = o.end_factor,
                 fall](std::int64_t t) {
            if (t < warmup) return Scaling{rise(start, t, warmup)};
            return Scaling{end + (1 - end) * fall(ratio(std::min(t, total) - warmup, total - warmup))};
          }};
}

}  // namespace

Schedule CosineAnnealingLROptions::schedule() const {
  need_at_least(1, "CosineAnnealingLR", "T_max", T_max);
  need_finite("CosineAnnealingLR", "eta_min", eta_min);
  return {"CosineAnnealingLR",
          [n = T_max, low = eta_min](std::int64_t t) { return between(low, half_cosine(ratio(t, n))); }};
}

Schedule CosineAnnealingWarmRestartsOptions::schedule() const {
  constexpr const char* name = "CosineAnnealingWarmRestarts";
  need_at_least(1, name, "T_0", T_0);
  need_at_least(1, name, "T_mult", T_mult);
  need_finite(name, "eta_min", eta_min);
  return {name, [first = T_0, growth = T_mult, low = eta_min](std::int64_t t) {
            std::int64_t length = first;
            if (growth == 1) {
              t %= length;
            } else {
              while (t >= length) {
                t -= length;
                length *= growth;
              }
            }
            return between(low, half_cosine(ratio(t, length)));
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
  return {name, [o = *this, fall](std::int64_t t) {
            if (t < o.warmup_steps) return Scaling{rise(o.start_factor, t, o.warmup_steps)};
            const std::int64_t falling =
                std::clamp(t - o.warmup_steps - o.stable_steps, std::int64_t{0}, o.decay_steps);
            return Scaling{o.end_factor + (1 - o.end_factor) * fall(ratio(falling, o.decay_steps))};
          }};
}

}  // namespace gradus::optim::lr_scheduler
