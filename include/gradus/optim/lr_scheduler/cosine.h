// Cosine schedules (Loshchilov and Hutter, 2017): torch.optim.lr_scheduler. t is the step.
#pragma once

#include <gradus/optim/lr_scheduler/scheduler.h>

namespace gradus::optim::lr_scheduler {

struct CosineAnnealingLROptions {
  std::int64_t T_max = 0;  // at least 1
  double eta_min = 0;
  std::string option = "lr";
  Schedule schedule() const;
};
// eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2, also beyond T_max, where it rises again.
using CosineAnnealingLR = SchedulerOf<CosineAnnealingLROptions>;

struct CosineAnnealingWarmRestartsOptions {
  std::int64_t T_0 = 0;     // at least 1: steps before the first restart
  std::int64_t T_mult = 1;  // at least 1: each round is so many times as long as the one before
  double eta_min = 0;
  std::string option = "lr";
  Schedule schedule() const;
};
// The first half of a cosine, again and again.
using CosineAnnealingWarmRestarts = SchedulerOf<CosineAnnealingWarmRestartsOptions>;

}  // namespace gradus::optim::lr_scheduler
