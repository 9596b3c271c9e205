#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct AdagradOptions {
  Params params = {};
  std::optional<double> lr = {};                         // 1e-2
  detail::LearningRateIsLr learning_rate = {};           // refused
  std::optional<double> lr_decay = {};                   // 0: the rate of update t is lr / (1 + (t - 1) lr_decay)
  std::optional<double> weight_decay = {};               // 0: L2 penalty, added to the gradient
  std::optional<double> initial_accumulator_value = {};  // 0
  std::optional<double> eps = {};                        // 1e-10
  std::optional<bool> maximize = {};                     // false
  std::string name = {};
};

// Adagrad (Duchi, Hazan and Singer, 2011), as torch.optim.Adagrad.
using Adagrad = OptimizerOf<AdagradOptions>;

}  // namespace gradus::optim
