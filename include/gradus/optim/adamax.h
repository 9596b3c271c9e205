#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct AdamaxOptions {
  Params params = {};
  std::optional<double> lr = {};                  // 2e-3
  detail::LearningRateIsLr learning_rate = {};    // refused
  Several<std::pair<double, double>> betas = {};  // {0.9, 0.999}, each in [0, 1)
  std::optional<double> eps = {};                 // 1e-8
  std::optional<double> weight_decay = {};        // 0: L2 penalty, added to the gradient
  std::optional<bool> maximize = {};              // false
  std::string name = {};
};

// Adamax: Adam with the infinity norm (Kingma and Ba, 2015), as torch.optim.Adamax.
using Adamax = OptimizerOf<AdamaxOptions>;

}  // namespace gradus::optim
