#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct LionOptions {
  Params params = {};
  std::optional<double> lr = {};                  // 1e-4
  detail::LearningRateIsLr learning_rate = {};    // refused
  Several<std::pair<double, double>> betas = {};  // {0.9, 0.99}, each in [0, 1)
  std::optional<double> weight_decay = {};        // 0: multiplies the parameter by 1 - lr weight_decay
  std::optional<bool> maximize = {};              // false
  std::string name = {};
};

// Lion (Chen et al., 2023, Symbolic Discovery of Optimization Algorithms, Algorithm 2).
using Lion = OptimizerOf<LionOptions>;

}  // namespace gradus::optim
