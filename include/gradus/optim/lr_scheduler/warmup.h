// A linear rise and what follows it, each as one closed form. PyTorch has none of these; they are those of
// transformers.get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup and get_wsd_schedule.
#pragma once

#include <gradus/optim/lr_scheduler/scheduler.h>

namespace gradus::optim::lr_scheduler {

struct WarmupCosineLROptions {
  std::int64_t warmup_steps = 0;  // at least 0
  std::int64_t total_steps = 0;   // above warmup_steps
  double start_factor = 0;        // in [0, 1]; at 0 the very first step trains nothing
  double end_factor = 0;          // in [0, 1]
  std::string option = "lr";
  Schedule schedule() const;
};
// From start_factor to 1 over warmup_steps, and along half a cosine to end_factor at total_steps.
using WarmupCosineLR = SchedulerOf<WarmupCosineLROptions>;

struct WarmupLinearLROptions {
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 0;
  double start_factor = 0;
  double end_factor = 0;
  std::string option = "lr";
  Schedule schedule() const;
};
// The same, falling along a line.
using WarmupLinearLR = SchedulerOf<WarmupLinearLROptions>;

struct WarmupStableDecayLROptions {
  std::int64_t warmup_steps = 0;  // at least 0
  std::int64_t stable_steps = 0;  // at least 0
  std::int64_t decay_steps = 0;   // at least 1
  double start_factor = 0;        // in [0, 1]
  double end_factor = 0;          // in [0, 1]
  std::string decay = "linear";   // "linear", "cosine", or "1-sqrt" (Hägele et al., 2024)
  std::string option = "lr";
  Schedule schedule() const;
};
// WSD (Hu et al., 2024): up over warmup_steps, 1 for stable_steps, down over decay_steps, end_factor from then on.
using WarmupStableDecayLR = SchedulerOf<WarmupStableDecayLROptions>;

}  // namespace gradus::optim::lr_scheduler
