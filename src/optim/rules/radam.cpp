#include <gradus/optim/radam.h>

#include "kernels/formulas/moment_rules.h"
#include "kernels/math.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// m and v as Adam's. While the variance of v cannot be known (rho_t <= 5), p -= lr m / (1 - b1^t); from then on
// p -= lr r_t m / (1 - b1^t) sqrt(1 - b2^t) / (sqrt(v) + eps).
template <>
struct RuleOf<RAdamOptions> : RadamUpdate {
  using O = RAdamOptions;
  static constexpr const char* name = "RAdam";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-3, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.999), from_below(0, 1), from_below(0, 1)},
                 Field{"eps", &O::eps, 1e-8, at_least(0)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"decoupled_weight_decay", &O::decoupled_weight_decay, false},
                 Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O&) { return {"exp_avg", "exp_avg_sq"}; }

  using Update = RadamUpdate;
  RuleOf(const O& o, const Moment& now) {
    shrink = *o.decoupled_weight_decay ? 1 - *o.lr * *o.weight_decay : 1;
    decay = *o.decoupled_weight_decay ? 0 : *o.weight_decay;
    sign = *o.maximize ? -1 : 1;
    beta1 = o.betas->first;
    beta2 = o.betas->second;
    eps = *o.eps;
    const double t = static_cast<double>(now.step), correction2 = 1 - math::pow(beta2, t);
    const double longest = 2 / (1 - beta2) - 1, length = longest - 2 * t * math::pow(beta2, t) / correction2;
    step_size = *o.lr / (1 - math::pow(beta1, t));
    rectified = length > 5;
    if (rectified) {
      step_size *=
          std::sqrt(correction2 * (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
    }
  }
};

template class OptimizerOf<RAdamOptions>;

}  // namespace gradus::optim
