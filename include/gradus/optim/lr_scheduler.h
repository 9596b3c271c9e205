// Schedules: torch.optim.lr_scheduler, as closed forms of the step. docs/schedules.md tells how they differ.
//
//   optim::lr_scheduler::StepLR scheduler(opt, {.step_size = 30, .gamma = 0.1});
//   for (int epoch = 0; epoch < 90; ++epoch) {
//     train(net, opt);
//     scheduler.step();
//   }
#pragma once

#include <gradus/optim/lr_scheduler/cosine.h>
#include <gradus/optim/lr_scheduler/cycle.h>
#include <gradus/optim/lr_scheduler/decay.h>
#include <gradus/optim/lr_scheduler/plateau.h>
#include <gradus/optim/lr_scheduler/scheduler.h>
#include <gradus/optim/lr_scheduler/warmup.h>
