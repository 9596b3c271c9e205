// Schedules by name: torch.optim.lr_scheduler's, and warm-ups.
#include <gradus/optim/lr_scheduler.h>

#include "recipe/calls/callables.h"

namespace gradus::recipe {

namespace {

using namespace optim::lr_scheduler;

ScheduleCall row(const char* signature, const char* help,
                 std::function<AnySchedule(optim::Optimizer&, const Fields&)> make) {
  return {parse_signature(signature, help), std::move(make)};
}
PerGroup per_group(const Fields& f, const char* field) {
  const std::vector<double> values = f.numbers(field);
  return values.size() == 1 ? PerGroup(values[0]) : PerGroup(values);
}

}  // namespace

const std::vector<ScheduleCall>& schedules() {
  using optim::Optimizer;
  static const std::vector<ScheduleCall> all{
      row("StepLR(step_size: int>=1, gamma: number = 0.1, option: text = lr)",
          "multiplied by gamma every step_size steps",
          [](Optimizer& o, const Fields& f) {
            return StepLR(
                o, {.step_size = f.integer("step_size"), .gamma = f.number("gamma"), .option = f.text("option")});
          }),
      row("MultiStepLR(milestones: [int>=0], gamma: number = 0.1, option: text = lr)",
          "multiplied by gamma at each milestone",
          [](Optimizer& o, const Fields& f) {
            return MultiStepLR(
                o, {.milestones = f.integers("milestones"), .gamma = f.number("gamma"), .option = f.text("option")});
          }),
      row("ConstantLR(factor: number[0,1] = 0.3333333333333333, total_iters: int>=0 = 5, option: text = lr)",
          "multiplied by factor for the first total_iters steps",
          [](Optimizer& o, const Fields& f) {
            return ConstantLR(
                o, {.factor = f.number("factor"), .total_iters = f.integer("total_iters"), .option = f.text("option")});
          }),
      row("LinearLR(start_factor: number[0,1] = 0.3333333333333333, end_factor: number[0,1] = 1, "
          "total_iters: int>=1 = 5, option: text = lr)",
          "along a line from start_factor to end_factor",
          [](Optimizer& o, const Fields& f) {
            return LinearLR(o, {.start_factor = f.number("start_factor"),
                                .end_factor = f.number("end_factor"),
                                .total_iters = f.integer("total_iters"),
                                .option = f.text("option")});
          }),
      row("ExponentialLR(gamma: number, option: text = lr)", "multiplied by gamma at each step",
          [](Optimizer& o, const Fields& f) {
            return ExponentialLR(o, {.gamma = f.number("gamma"), .option = f.text("option")});
          }),
      row("PolynomialLR(total_iters: int>=1 = 5, power: number>=0 = 1, option: text = lr)",
          "falls to 0 over total_iters steps",
          [](Optimizer& o, const Fields& f) {
            return PolynomialLR(
                o, {.total_iters = f.integer("total_iters"), .power = f.number("power"), .option = f.text("option")});
          }),
      row("CosineAnnealingLR(T_max: int>=1, eta_min: number = 0, option: text = lr)", "along half a cosine to eta_min",
          [](Optimizer& o, const Fields& f) {
            return CosineAnnealingLR(
                o, {.T_max = f.integer("T_max"), .eta_min = f.number("eta_min"), .option = f.text("option")});
          }),
      row("CosineAnnealingWarmRestarts(T_0: int>=1, T_mult: int>=1 = 1, eta_min: number = 0, option: text = lr)",
          "along half a cosine to eta_min, with restarts",
          [](Optimizer& o, const Fields& f) {
            return CosineAnnealingWarmRestarts(o, {.T_0 = f.integer("T_0"),
                                                   .T_mult = f.integer("T_mult"),
                                                   .eta_min = f.number("eta_min"),
                                                   .option = f.text("option")});
          }),
      row("CyclicLR(base_lr: number..., max_lr: number..., step_size_up: int>=1 = 2000, step_size_down: int>=1 = none, "
          "mode: (triangular|triangular2|exp_range) = triangular, gamma: number = 1, cycle_momentum: flag = true, "
          "base_momentum: number... = 0.8, max_momentum: number... = 0.9)",
          "up and down, again and again",
          [](Optimizer& o, const Fields& f) {
            CyclicLROptions options{.base_lr = per_group(f, "base_lr"), .max_lr = per_group(f, "max_lr")};
            options.step_size_up = f.integer("step_size_up");
            if (f.has("step_size_down")) options.step_size_down = f.integer("step_size_down");
            options.mode = f.text("mode");
            options.gamma = f.number("gamma");
            options.cycle_momentum = f.flag("cycle_momentum");
            options.base_momentum = per_group(f, "base_momentum");
            options.max_momentum = per_group(f, "max_momentum");
            return CyclicLR(o, options);
          }),
      row("OneCycleLR(max_lr: number..., total_steps: int>=1, pct_start: number[0,1] = 0.3, "
          "anneal_strategy: (cos|linear) = cos, cycle_momentum: flag = true, base_momentum: number... = 0.85, "
          "max_momentum: number... = 0.95, div_factor: number>0 = 25, final_div_factor: number>0 = 10000, "
          "three_phase: flag = false)",
          "up once and down once",
          [](Optimizer& o, const Fields& f) {
            OneCycleLROptions options{.max_lr = per_group(f, "max_lr"), .total_steps = f.integer("total_steps")};
            options.pct_start = f.number("pct_start");
            options.anneal_strategy = f.text("anneal_strategy");
            options.cycle_momentum = f.flag("cycle_momentum");
            options.base_momentum = per_group(f, "base_momentum");
            options.max_momentum = per_group(f, "max_momentum");
            options.div_factor = f.number("div_factor");
            options.final_div_factor = f.number("final_div_factor");
            options.three_phase = f.flag("three_phase");
            return OneCycleLR(o, options);
          }),
      row("WarmupCosineLR(warmup_steps: int>=0, total_steps: int>=1, start_factor: number[0,1] = 0, "
          "end_factor: number[0,1] = 0, option: text = lr)",
          "up along a line, down along half a cosine",
          [](Optimizer& o, const Fields& f) {
            return WarmupCosineLR(o, {.warmup_steps = f.integer("warmup_steps"),
                                      .total_steps = f.integer("total_steps"),
                                      .start_factor = f.number("start_factor"),
                                      .end_factor = f.number("end_factor"),
                                      .option = f.text("option")});
          }),
      row("WarmupLinearLR(warmup_steps: int>=0, total_steps: int>=1, start_factor: number[0,1] = 0, "
          "end_factor: number[0,1] = 0, option: text = lr)",
          "up along a line, down along another",
          [](Optimizer& o, const Fields& f) {
            return WarmupLinearLR(o, {.warmup_steps = f.integer("warmup_steps"),
                                      .total_steps = f.integer("total_steps"),
                                      .start_factor = f.number("start_factor"),
                                      .end_factor = f.number("end_factor"),
                                      .option = f.text("option")});
          }),
      row("WarmupStableDecayLR(warmup_steps: int>=0, stable_steps: int>=0, decay_steps: int>=1, "
          "start_factor: number[0,1] = 0, end_factor: number[0,1] = 0, decay: (linear|cosine|1-sqrt) = linear, "
          "option: text = lr)",
          "up, level, down",
          [](Optimizer& o, const Fields& f) {
            return WarmupStableDecayLR(o, {.warmup_steps = f.integer("warmup_steps"),
                                           .stable_steps = f.integer("stable_steps"),
                                           .decay_steps = f.integer("decay_steps"),
                                           .start_factor = f.number("start_factor"),
                                           .end_factor = f.number("end_factor"),
                                           .decay = f.text("decay"),
                                           .option = f.text("option")});
          }),
      row("ReduceLROnPlateau(metric: metric, mode: (min|max) = min, factor: number[0,1] = 0.1, patience: int>=0 = 10, "
          "threshold: number>=0 = 1e-4, threshold_mode: (rel|abs) = rel, cooldown: int>=0 = 0, "
          "min_lr: number>=0... = 0, eps: number>=0 = 1e-8, option: text = lr)",
          "multiplied by factor if this metric of `evaluate` has not improved for more than patience evaluations",
          [](Optimizer& o, const Fields& f) {
            return ReduceLROnPlateau(o, {.mode = f.text("mode"),
                                         .factor = f.number("factor"),
                                         .patience = f.integer("patience"),
                                         .threshold = f.number("threshold"),
                                         .threshold_mode = f.text("threshold_mode"),
                                         .cooldown = f.integer("cooldown"),
                                         .min_lr = per_group(f, "min_lr"),
                                         .eps = f.number("eps"),
                                         .option = f.text("option")});
          }),
  };
  return all;
}

}  // namespace gradus::recipe
