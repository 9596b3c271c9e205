#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct ASGDOptions {
  Params params = {};
  std::optional<double> lr = {};                // 1e-2
  detail::LearningRateIsLr learning_rate = {};  // refused
  std::optional<double> lambd = {};             // 1e-4: decay of parameter and rate
  std::optional<double> alpha = {};             // 0.75: the rate of update t is lr / (1 + lambd lr t)^alpha
  std::optional<double> t0 = {};                // 1e6: the update from which on parameters are averaged
  std::optional<double> weight_decay = {};      // 0: L2 penalty, added to the gradient
  std::optional<bool> maximize = {};            // false
  std::string name = {};
};

// Averaged stochastic gradient descent (Polyak and Juditsky, 1992), as torch.optim.ASGD: the average is the state "ax".
using ASGD = OptimizerOf<ASGDOptions>;

}  // namespace gradus::optim
