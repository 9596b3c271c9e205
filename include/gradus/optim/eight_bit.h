// Optimizers whose state takes a byte per element instead of four: Dettmers et al., "8-bit Optimizers via Block-wise
// Quantization" (2022), as bitsandbytes has them. State is kept in codes of 8 bits, with one float32 for each 256 of
// them; what an update computes is float32 (or float64) as always. Parameters of fewer than 4,096 elements have state
// of their own type.
#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct AdamW8bitOptions {
  Params params = {};
  std::optional<double> lr = {};                  // 1e-3
  detail::LearningRateIsLr learning_rate = {};    // refused
  Several<std::pair<double, double>> betas = {};  // {0.9, 0.999}
  std::optional<double> eps = {};                 // 1e-8
  std::optional<double> weight_decay = {};        // 1e-2: multiplies the parameter by 1 - lr weight_decay
  std::optional<bool> maximize = {};              // false
  std::string name = {};
};

// AdamW. State: exp_avg and exp_avg_sq; of larger parameters exp_avg_codes and exp_avg_sq_codes (uint8), with
// exp_avg_absmax and exp_avg_sq_absmax.
using AdamW8bit = OptimizerOf<AdamW8bitOptions>;

struct Lion8bitOptions {
  Params params = {};
  std::optional<double> lr = {};                  // 1e-4
  detail::LearningRateIsLr learning_rate = {};    // refused
  Several<std::pair<double, double>> betas = {};  // {0.9, 0.99}, each in [0, 1)
  std::optional<double> weight_decay = {};        // 0: multiplies the parameter by 1 - lr weight_decay
  std::optional<bool> maximize = {};              // false
  std::string name = {};
};

// Lion. State: exp_avg; of larger parameters exp_avg_codes (uint8) with exp_avg_absmax.
using Lion8bit = OptimizerOf<Lion8bitOptions>;

}  // namespace gradus::optim
