#pragma once

#include <gradus/optim/optimizer.h>

#include <array>

namespace gradus::optim {

struct MuonOptions {
  Params params = {};
  std::optional<double> lr = {};                        // 1e-3
  detail::LearningRateIsLr learning_rate = {};          // refused
  std::optional<double> weight_decay = {};              // 0.1: multiplies the parameter by 1 - lr weight_decay
  std::optional<double> momentum = {};                  // 0.95
  std::optional<bool> nesterov = {};                    // true
  Several<std::array<double, 3>> ns_coefficients = {};  // {3.4445, -4.775, 2.0315}
  std::optional<double> eps = {};                       // 1e-7: the least norm to divide by
  std::optional<std::int64_t> ns_steps = {};            // 5, below 100
  // How the rate depends on the sizes [a, b] of the matrix. "original" (also when unset): it is multiplied by
  // sqrt(max(1, a / b)). "match_rms_adamw": it is multiplied by 0.2 sqrt(max(a, b)).
  std::optional<std::string> adjust_lr_fn = {};
  // Which of the group's parameters are updated by AdamW. Unset: none, and those that are not matrices are refused, as
  // in PyTorch. "auto": those that are not matrices. "all": all, as suits embeddings and last layers.
  std::optional<std::string> fallback = {};
  std::optional<double> fallback_lr = {};                  // 3e-4
  Several<std::pair<double, double>> fallback_betas = {};  // {0.9, 0.95}
  std::optional<double> fallback_eps = {};                 // 1e-10
  std::optional<double> fallback_weight_decay = {};        // 0: multiplies by 1 - fallback_lr times it
  std::string name = {};
};

// Muon (Jordan et al., 2024), as torch.optim.Muon: the momentum of a matrix, made nearly orthogonal, is its update.
//
//   optim::Muon opt({{.params = hidden}, {.params = embedding, .fallback = "all"}}, {.lr = 0.02, .fallback = "auto"});
//
// PyTorch computes the Newton-Schulz iteration in bfloat16; here it has the parameter's type. The fallback is not
// PyTorch's; its defaults are those of the authors' MuonWithAuxAdam.
using Muon = OptimizerOf<MuonOptions>;

}  // namespace gradus::optim
