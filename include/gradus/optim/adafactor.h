#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct AdafactorOptions {
  Params params = {};
  std::optional<double> lr = {};                // 1e-2: the largest relative step, and the rate of the decay
  detail::LearningRateIsLr learning_rate = {};  // refused
  std::optional<double> beta2_decay = {};       // -0.8, at most 0: squares are averaged with 1 - t^beta2_decay
  // {none, 1e-3}: the least root of an estimated square, by default the type's epsilon; the least root mean square of
  // a parameter that steps are scaled by.
  Several<std::pair<std::optional<double>, double>> eps = {};
  std::optional<double> d = {};             // 1, at least 1: updates of a larger root mean square are cut
  std::optional<double> weight_decay = {};  // 0: multiplies the parameter by 1 - lr weight_decay
  std::optional<bool> maximize = {};        // false
  std::string name = {};
};

// Adafactor (Shazeer and Stern, 2018), as torch.optim.Adafactor. Of a matrix, and of the last two dimensions of
// anything larger, only mean squares of rows ("row_var") and columns ("col_var") are kept.
using Adafactor = OptimizerOf<AdafactorOptions>;

}  // namespace gradus::optim
