#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct RMSpropOptions {
  Params params = {};
  std::optional<double> lr = {};                // 1e-2
  detail::LearningRateIsLr learning_rate = {};  // refused
  std::optional<double> alpha = {};             // 0.99: how slowly the squares are forgotten
  std::optional<double> eps = {};               // 1e-8
  std::optional<double> weight_decay = {};      // 0: L2 penalty, added to the gradient
  std::optional<double> momentum = {};          // 0
  std::optional<bool> centered = {};            // false: divide by the standard deviation, not by the root mean square
  std::optional<bool> maximize = {};            // false
  std::string name = {};
};

// RMSprop (Tieleman and Hinton, 2012; centred, Graves, 2013), as torch.optim.RMSprop.
using RMSprop = OptimizerOf<RMSpropOptions>;

}  // namespace gradus::optim
