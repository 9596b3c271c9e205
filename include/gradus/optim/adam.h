#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct AdamOptions {
  Params params = {};
  std::optional<double> lr = {};                    // 1e-3
  detail::LearningRateIsLr learning_rate = {};      // refused
  Several<std::pair<double, double>> betas = {};    // {0.9, 0.999}, each in [0, 1)
  std::optional<double> eps = {};                   // 1e-8
  std::optional<double> weight_decay = {};          // 0: L2 penalty, added to the gradient unless decoupled
  std::optional<bool> amsgrad = {};                 // false
  std::optional<bool> maximize = {};                // false
  std::optional<bool> decoupled_weight_decay = {};  // false
  std::string name = {};
};

// Adam (Kingma and Ba, 2015) with AMSGrad (Reddi et al., 2018), as torch.optim.Adam.
using Adam = OptimizerOf<AdamOptions>;

struct AdamWOptions {
  Params params = {};
  std::optional<double> lr = {};                  // 1e-3
  detail::LearningRateIsLr learning_rate = {};    // refused
  Several<std::pair<double, double>> betas = {};  // {0.9, 0.999}
  std::optional<double> eps = {};                 // 1e-8
  std::optional<double> weight_decay = {};        // 1e-2: multiplies the parameter by 1 - lr weight_decay
  std::optional<bool> amsgrad = {};               // false
  std::optional<bool> maximize = {};              // false
  std::string name = {};
};

// Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as torch.optim.AdamW. As there, a very small decay
// has no effect: 1 - lr weight_decay rounds to 1 where lr weight_decay is below 3e-8 in float32, or 5e-17 in float64.
using AdamW = OptimizerOf<AdamWOptions>;

}  // namespace gradus::optim
