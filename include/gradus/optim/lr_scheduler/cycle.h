// Cyclic schedules of rate and momentum (Smith, 2017; Smith and Topin, 2019): torch.optim.lr_scheduler. They set
// values and do not look at base values. The momentum is the option "momentum", or the first of "betas".
#pragma once

#include <optional>

#include <gradus/optim/lr_scheduler/scheduler.h>

namespace gradus::optim::lr_scheduler {

struct CyclicLROptions {
  PerGroup base_lr = {};  // must be given
  PerGroup max_lr = {};   // must be given
  std::int64_t step_size_up = 2000;
  std::optional<std::int64_t> step_size_down = {};  // as step_size_up
  std::string mode = "triangular";                  // "triangular2" halves each cycle, "exp_range" scales by gamma^t
  double gamma = 1;
  std::function<double(double)> scale_fn = {};  // instead of a mode: of the cycle (from 1) or the step
  std::string scale_mode = "cycle";             // or "iterations": what scale_fn is given
  bool cycle_momentum = true;                   // ValueError where the optimizer has none
  PerGroup base_momentum = 0.8;
  PerGroup max_momentum = 0.9;
};
// From base_lr to max_lr in step_size_up steps, and back in step_size_down; the momentum the other way.
class CyclicLR : public LRScheduler {
 public:
  CyclicLR(Optimizer& optimizer, const CyclicLROptions& options);
};

struct OneCycleLROptions {
  PerGroup max_lr = {};                          // must be given
  std::optional<std::int64_t> total_steps = {};  // or epochs and steps_per_epoch
  std::optional<std::int64_t> epochs = {};
  std::optional<std::int64_t> steps_per_epoch = {};
  double pct_start = 0.3;               // the part of the steps that rises, in [0, 1]
  std::string anneal_strategy = "cos";  // or "linear"
  bool cycle_momentum = true;           // ValueError where the optimizer has none
  PerGroup base_momentum = 0.85;
  PerGroup max_momentum = 0.95;
  double div_factor = 25;         // starts at max_lr / div_factor
  double final_div_factor = 1e4;  // ends at max_lr / div_factor / final_div_factor
  bool three_phase = false;       // back to the start as fast as it rose, and then to the end
};
// Up to max_lr and down, once. Step total_steps, which follows the last training step, keeps the last value (PyTorch
// goes beyond it); further ones are a ValueError.
class OneCycleLR : public LRScheduler {
 public:
  OneCycleLR(Optimizer& optimizer, const OneCycleLROptions& options);
};

}  // namespace gradus::optim::lr_scheduler
