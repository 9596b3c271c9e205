#include <gradus/optim/adadelta.h>

#include "kernels/formulas/rules.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// g' = g + weight_decay p;  s = rho s + (1 - rho) g'^2;  d = sqrt(a + eps) / sqrt(s + eps) g';
// a = rho a + (1 - rho) d^2;  p -= lr d.
template <>
struct RuleOf<AdadeltaOptions> : AdadeltaUpdate {
  using O = AdadeltaOptions;
  static constexpr const char* name = "Adadelta";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1.0, at_least(0)}, Field{"rho", &O::rho, 0.9, between(0, 1)},
                 Field{"eps", &O::eps, 1e-6, at_least(0)}, Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O&) { return {"square_avg", "acc_delta"}; }

  using Update = AdadeltaUpdate;
  RuleOf(const O& o, const Moment&) {
    lr = *o.lr;
    rho = *o.rho;
    eps = *o.eps;
    decay = *o.weight_decay;
    sign = *o.maximize ? -1 : 1;
  }
};

template class OptimizerOf<AdadeltaOptions>;

}  // namespace gradus::optim
