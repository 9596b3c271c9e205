#include <gradus/optim/adamax.h>

#include "kernels/formulas/moment_rules.h"
#include "kernels/math.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// g' = g + weight_decay p;  m = b1 m + (1 - b1) g';  u = max(b2 u, |g'| + eps);  p -= lr / (1 - b1^t) m / u.
template <>
struct RuleOf<AdamaxOptions> : AdamaxUpdate {
  using O = AdamaxOptions;
  static constexpr const char* name = "Adamax";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 2e-3, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.999), from_below(0, 1), from_below(0, 1)},
                 Field{"eps", &O::eps, 1e-8, at_least(0)}, Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O&) { return {"exp_avg", "exp_inf"}; }

  using Update = AdamaxUpdate;
  RuleOf(const O& o, const Moment& now) {
    step_size = *o.lr / (1 - math::pow(o.betas->first, static_cast<double>(now.step)));
    beta1 = o.betas->first;
    beta2 = o.betas->second;
    eps = *o.eps;
    decay = *o.weight_decay;
    sign = *o.maximize ? -1 : 1;
  }
};

template class OptimizerOf<AdamaxOptions>;

}  // namespace gradus::optim
