#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct RAdamOptions {
  Params params = {};
  std::optional<double> lr = {};                    // 1e-3
  detail::LearningRateIsLr learning_rate = {};      // refused
  Several<std::pair<double, double>> betas = {};    // {0.9, 0.999}, each in [0, 1)
  std::optional<double> eps = {};                   // 1e-8
  std::optional<double> weight_decay = {};          // 0: L2 penalty, added to the gradient unless decoupled
  std::optional<bool> decoupled_weight_decay = {};  // false
  std::optional<bool> maximize = {};                // false
  std::string name = {};
};

// Rectified Adam (Liu et al., 2020), as torch.optim.RAdam.
using RAdam = OptimizerOf<RAdamOptions>;

}  // namespace gradus::optim
