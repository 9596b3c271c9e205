#include <gradus/optim/adagrad.h>

#include "kernels/formulas/rules.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// g' = g + weight_decay p;  s += g'^2;  p -= lr / (1 + (t - 1) lr_decay) g' / (sqrt(s) + eps).
template <>
struct RuleOf<AdagradOptions> : AdagradUpdate {
  using O = AdagradOptions;
  static constexpr const char* name = "Adagrad";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-2, at_least(0)},
                 Field{"lr_decay", &O::lr_decay, 0.0, at_least(0)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"initial_accumulator_value", &O::initial_accumulator_value, 0.0, at_least(0)},
                 Field{"eps", &O::eps, 1e-10, at_least(0)},
                 Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O&) { return {"sum"}; }
  static double initial(const O& o, const char*) { return *o.initial_accumulator_value; }

  using Update = AdagradUpdate;
  RuleOf(const O& o, const Moment& now) {
    rate = *o.lr / (1 + static_cast<double>(now.step - 1) * *o.lr_decay);
    decay = *o.weight_decay;
    eps = *o.eps;
    sign = *o.maximize ? -1 : 1;
  }
};

template class OptimizerOf<AdagradOptions>;

}  // namespace gradus::optim
