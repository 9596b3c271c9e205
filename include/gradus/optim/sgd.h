#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct SGDOptions {
  Params params = {};
  std::optional<double> lr = {};                // 1e-3
  detail::LearningRateIsLr learning_rate = {};  // refused
  std::optional<double> momentum = {};          // 0
  std::optional<double> dampening = {};         // 0
  std::optional<double> weight_decay = {};      // 0: L2 penalty, added to the gradient
  std::optional<bool> nesterov = {};            // false; needs momentum and no dampening
  std::optional<bool> maximize = {};            // false
  std::string name = {};                        // of the group, for messages
};

// Stochastic gradient descent with momentum (Sutskever et al., 2013), as torch.optim.SGD.
using SGD = OptimizerOf<SGDOptions>;

}  // namespace gradus::optim
