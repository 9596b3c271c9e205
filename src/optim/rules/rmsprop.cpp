#include <gradus/optim/rmsprop.h>

#include <limits>

#include "kernels/formulas/rules.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// g' = g + weight_decay p;  s = alpha s + (1 - alpha) g'^2;  p -= lr g' / (sqrt(s) + eps).
// Centred, s - a^2 stands for s in the last, with a = alpha a + (1 - alpha) g'. Where no more of the difference is left
// than rounding (it may be below zero then), the rounding error of s stands for it. With momentum
// b = momentum b + g' / (sqrt(s) + eps);  p -= lr b.
template <>
struct RuleOf<RMSpropOptions> : RmspropUpdate {
  using O = RMSpropOptions;
  static constexpr const char* name = "RMSprop";
  static constexpr auto options = std::tuple{Field{"lr", &O::lr, 1e-2, at_least(0)},
                                             Field{"alpha", &O::alpha, 0.99, at_least(0)},
                                             Field{"eps", &O::eps, 1e-8, at_least(0)},
                                             Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                                             Field{"momentum", &O::momentum, 0.0, at_least(0)},
                                             Field{"centered", &O::centered, false},
                                             Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O& o) {
    std::vector<const char*> names{"square_avg"};
    if (*o.centered) names.push_back("grad_avg");
    if (*o.momentum > 0) names.push_back("momentum_buffer");
    return names;
  }

  using Update = RmspropUpdate;
  RuleOf(const O& o, const Moment&) {
    lr = *o.lr;
    alpha = *o.alpha;
    eps = *o.eps;
    decay = *o.weight_decay;
    momentum = *o.momentum;
    sign = *o.maximize ? -1 : 1;
    centered = *o.centered;
  }
};

template class OptimizerOf<RMSpropOptions>;

}  // namespace gradus::optim
