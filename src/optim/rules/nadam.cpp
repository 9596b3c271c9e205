#include <gradus/optim/nadam.h>

#include "kernels/formulas/moment_rules.h"
#include "kernels/math.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// mu_t = b1 (1 - 0.96^(t momentum_decay) / 2), M_t = mu_1 ... mu_t;  m and v as Adam's;
// p -= lr ((1 - mu_t) / (1 - M_t) g + mu_(t+1) / (1 - M_(t+1)) m) / (sqrt(v / (1 - b2^t)) + eps).
template <>
struct RuleOf<NAdamOptions> : NadamUpdate {
  using O = NAdamOptions;
  static constexpr const char* name = "NAdam";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 2e-3, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.999), from_below(0, 1), from_below(0, 1)},
                 Field{"eps", &O::eps, 1e-8, at_least(0)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"momentum_decay", &O::momentum_decay, 4e-3, at_least(0)},
                 Field{"decoupled_weight_decay", &O::decoupled_weight_decay, false},
                 Field{"maximize", &O::maximize, false}};
  static constexpr std::array numbers{Number{"mu_product", 1.0}};
  static std::vector<const char*> state(const O&) { return {"exp_avg", "exp_avg_sq"}; }

  using Update = NadamUpdate;
  RuleOf(const O& o, Moment& now) {
    shrink = *o.decoupled_weight_decay ? 1 - *o.lr * *o.weight_decay : 1;
    decay = *o.decoupled_weight_decay ? 0 : *o.weight_decay;
    sign = *o.maximize ? -1 : 1;
    beta1 = o.betas->first;
    beta2 = o.betas->second;
    root_correction = 1 / std::sqrt(1 - math::pow(beta2, static_cast<double>(now.step)));
    eps = *o.eps;
    const auto momentum = [&](std::int64_t t) {
      return beta1 * (1 - 0.5 * math::pow(0.96, static_cast<double>(t) * *o.momentum_decay));
    };
    const double mu = momentum(now.step), next = momentum(now.step + 1);
    double& product = now.numbers[0];
    product *= mu;
    of_gradient = *o.lr * (1 - mu) / (1 - product);
    of_mean = *o.lr * next / (1 - product * next);
  }
};

template class OptimizerOf<NAdamOptions>;

}  // namespace gradus::optim
