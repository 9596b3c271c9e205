#pragma once

#include <gradus/optim/optimizer.h>

#include <array>

namespace gradus::optim {

struct AdEMAMixOptions {
  Params params = {};
  std::optional<double> lr = {};                // 1e-3
  detail::LearningRateIsLr learning_rate = {};  // refused
  Several<std::array<double, 3>> betas = {};    // {0.9, 0.999, 0.9999}: fast mean, squares, slow mean
  std::optional<double> alpha = {};             // 2: the slow mean's part
  // Updates over which the slow mean's beta grows from the fast one's, and alpha from 0. Unset: at once.
  std::optional<std::int64_t> beta3_warmup = {};
  std::optional<std::int64_t> alpha_warmup = {};
  std::optional<double> eps = {};           // 1e-8
  std::optional<double> weight_decay = {};  // 0: decoupled, as AdamW's
  std::optional<bool> maximize = {};        // false
  std::string name = {};
};

// AdEMAMix (Pagliardini, Ablin and Grangier, 2024, Algorithm 1), with the defaults of its authors' code.
using AdEMAMix = OptimizerOf<AdEMAMixOptions>;

}  // namespace gradus::optim
