// The update that Adam, AdamW and Muon's fallback share.
#pragma once

#include "optim/engine/rule.h"

namespace gradus::optim {

// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
// With amsgrad v's largest value so far stands for v in the last.
struct AdamUpdate {
  double shrink, decay, sign, beta1, beta2, step_size, root_correction, eps;

  template <class O>
  AdamUpdate(const O& o, const Moment& now, bool decoupled)
      : shrink(decoupled ? 1 - *o.lr * *o.weight_decay : 1),
        decay(decoupled ? 0 : *o.weight_decay),
        sign(*o.maximize ? -1 : 1),
        beta1(o.betas->first),
        beta2(o.betas->second),
        step_size(*o.lr / (1 - std::pow(beta1, static_cast<double>(now.step)))),
        root_correction(1 / std::sqrt(1 - std::pow(beta2, static_cast<double>(now.step)))),
        eps(*o.eps) {}

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& v) const {
    moments(p, g, m, v);
    p -= T(step_size) * m / (std::sqrt(v) * T(root_correction) + T(eps));
  }
  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& v, T& largest) const {
    moments(p, g, m, v);
    largest = v > largest ? v : largest;
    p -= T(step_size) * m / (std::sqrt(largest) * T(root_correction) + T(eps));
  }

 private:
  template <class T>
  GRADUS_INLINE void moments(T& p, T g, T& m, T& v) const {
    p *= T(shrink);
    g = T(sign) * g + T(decay) * p;
    m += T(1 - beta1) * (g - m);
    v = T(beta2) * v + T(1 - beta2) * g * g;
  }
};

}  // namespace gradus::optim
