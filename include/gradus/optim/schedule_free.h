// Schedule-Free learning (Defazio et al., 2024, The Road Less Scheduled): no schedule of the rate, an average instead.
//
// Three points belong to each parameter: z takes the steps, x averages z, and gradients are taken at y between them.
// While it trains, the parameter holds y. The result is x, and nothing has to be switched by hand to get it:
//
// - `net.eval()` puts x into the parameters, `net.train()` puts y back, bit for bit. A step that finds x puts y back
//   first. What is frozen through its module shows x.
// - `net.state_dict()`, and so a checkpoint, and `nn::clone(net)` hold x. The optimizer's own state holds x and z, so
//   that training continues exactly, in whichever order the two are loaded. Other weights that `net.load_state_dict`
//   brings are a new start of the average.
// - What the optimizer leaves in the parameters when it goes is x.
//
// Where parameters are written to by other means the next step does not see it. A parameter that is in no module is
// read with `state_of(p, "x")`. x is kept, not recovered from y and z as in the authors' code: so the momentum may
// change while training, or be 0 or 1. That is one more tensor of state.
#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct SGDScheduleFreeOptions {
  Params params = {};
  std::optional<double> lr = {};                  // 1
  detail::LearningRateIsLr learning_rate = {};    // refused
  std::optional<double> momentum = {};            // 0.9, in [0, 1]: y = momentum x + (1 - momentum) z
  std::optional<double> weight_decay = {};        // 0: L2 penalty at y
  std::optional<std::int64_t> warmup_steps = {};  // 0: updates over which the rate grows linearly
  std::optional<double> r = {};                   // 0: update t has the weight t^r in the average
  std::optional<double> weight_lr_power = {};     // 2: times the largest rate so far to this power
  std::optional<bool> maximize = {};              // false
  std::string name = {};
};

// SGD in the place of the step (equations 3 to 5).
using SGDScheduleFree = OptimizerOf<SGDScheduleFreeOptions>;

struct AdamWScheduleFreeOptions {
  Params params = {};
  std::optional<double> lr = {};                  // 2.5e-3
  detail::LearningRateIsLr learning_rate = {};    // refused
  Several<std::pair<double, double>> betas = {};  // {0.9, 0.999}: y = b1 x + (1 - b1) z; b2 as AdamW's
  std::optional<double> eps = {};                 // 1e-8
  std::optional<double> weight_decay = {};        // 0: at y, times the rate
  std::optional<std::int64_t> warmup_steps = {};  // 0
  std::optional<double> r = {};                   // 0
  std::optional<double> weight_lr_power = {};     // 2
  std::optional<bool> maximize = {};              // false
  std::string name = {};
};

// AdamW in the place of the step (Algorithm 1). The rate includes Adam's correction, and so does the weight.
using AdamWScheduleFree = OptimizerOf<AdamWScheduleFreeOptions>;

}  // namespace gradus::optim
