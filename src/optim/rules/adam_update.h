// The update that Adam, AdamW and Muon's fallback share.
#pragma once

#include <cmath>

#include "kernels/formulas/moment_rules.h"
#include "kernels/math.h"
#include "optim/engine/rule.h"

namespace gradus::optim {

// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
// With amsgrad v's largest value so far stands for v in the last.
template <class O>
AdamUpdate adam_update(const O& o, const Moment& now, bool decoupled) {
  const auto [beta1, beta2] = *o.betas;
  const auto t = static_cast<double>(now.step);
  return {.shrink = decoupled ? 1 - *o.lr * *o.weight_decay : 1,
          .decay = decoupled ? 0 : *o.weight_decay,
          .sign = *o.maximize ? -1.0 : 1.0,
          .beta1 = beta1,
          .beta2 = beta2,
          .step_size = *o.lr / (1 - math::pow(beta1, t)),
          .root_correction = 1 / std::sqrt(1 - math::pow(beta2, t)),
          .eps = *o.eps};
}

}  // namespace gradus::optim
