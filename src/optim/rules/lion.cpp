#include <gradus/optim/lion.h>

#include "kernels/formulas/rules.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// p *= 1 - lr weight_decay;  p -= lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g.
template <>
struct RuleOf<LionOptions> : LionUpdate {
  using O = LionOptions;
  static constexpr const char* name = "Lion";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-4, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.99), from_below(0, 1), from_below(0, 1)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)}, Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O&) { return {"exp_avg"}; }

  using Update = LionUpdate;
  RuleOf(const O& o, const Moment&) {
    lr = *o.lr;
    shrink = 1 - *o.lr * *o.weight_decay;
    sign = *o.maximize ? -1 : 1;
    beta1 = o.betas->first;
    beta2 = o.betas->second;
  }
};

template class OptimizerOf<LionOptions>;

}  // namespace gradus::optim
