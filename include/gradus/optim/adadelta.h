#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct AdadeltaOptions {
  Params params = {};
  std::optional<double> lr = {};                // 1
  detail::LearningRateIsLr learning_rate = {};  // refused
  std::optional<double> rho = {};               // 0.9, in [0, 1]: how slowly squares are forgotten
  std::optional<double> eps = {};               // 1e-6
  std::optional<double> weight_decay = {};      // 0: L2 penalty, added to the gradient
  std::optional<bool> maximize = {};            // false
  std::string name = {};
};

// Adadelta (Zeiler, 2012), as torch.optim.Adadelta.
using Adadelta = OptimizerOf<AdadeltaOptions>;

}  // namespace gradus::optim
