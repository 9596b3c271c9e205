#include <gradus/optim/sgd.h>

#include "kernels/formulas/rules.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// g' = g + weight_decay p;  v = momentum v + (1 - dampening) g', at first v = g';  p -= lr v, or with nesterov
// p -= lr (g' + momentum v).
template <>
struct RuleOf<SGDOptions> : SgdUpdate {
  using O = SGDOptions;
  static constexpr const char* name = "SGD";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-3, at_least(0)}, Field{"momentum", &O::momentum, 0.0, at_least(0)},
                 Field{"dampening", &O::dampening, 0.0}, Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"nesterov", &O::nesterov, false}, Field{"maximize", &O::maximize, false}};
  static const char* check(const O& o) {
    const bool valid = !*o.nesterov || (*o.momentum > 0 && *o.dampening == 0);
    return valid ? nullptr : "nesterov needs a momentum above 0 and a dampening of 0";
  }
  static std::vector<const char*> state(const O& o) {
    if (*o.momentum == 0) return {};
    return {"momentum_buffer"};
  }

  using Update = SgdUpdate;
  RuleOf(const O& o, const Moment& now) {
    lr = *o.lr;
    momentum = *o.momentum;
    taken = now.fresh ? 1 : 1 - *o.dampening;
    decay = *o.weight_decay;
    sign = *o.maximize ? -1 : 1;
    nesterov = *o.nesterov;
  }
};

template class OptimizerOf<SGDOptions>;

}  // namespace gradus::optim
