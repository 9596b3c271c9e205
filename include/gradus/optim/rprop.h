#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct RpropOptions {
  Params params = {};
  std::optional<double> lr = {};                       // 1e-2: each element's first step
  detail::LearningRateIsLr learning_rate = {};         // refused
  Several<std::pair<double, double>> etas = {};        // {0.5, 1.2}: factors of a step; below and above 1
  Several<std::pair<double, double>> step_sizes = {};  // {1e-6, 50}: the smallest and the largest step
  std::optional<bool> maximize = {};                   // false
  std::string name = {};
};

// Resilient propagation (Riedmiller and Braun, 1993), as torch.optim.Rprop.
using Rprop = OptimizerOf<RpropOptions>;

}  // namespace gradus::optim
