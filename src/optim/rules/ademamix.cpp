#include <gradus/optim/ademamix.h>

#include "kernels/formulas/moment_rules.h"
#include "kernels/math.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// m, v as Adam's;  s = b3 s + (1 - b3) g;
// p -= lr ((m / (1 - b1^t) + alpha s) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay p).
template <>
struct RuleOf<AdEMAMixOptions> : AdemamixUpdate {
  using O = AdEMAMixOptions;
  static constexpr const char* name = "AdEMAMix";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-3, at_least(0)},
                 Field{"betas", &O::betas, std::array{0.9, 0.999, 0.9999}, from_below(0, 1)},
                 Field{"alpha", &O::alpha, 2.0, at_least(0)},
                 OptionalField{"beta3_warmup", &O::beta3_warmup, at_least(1)},
                 OptionalField{"alpha_warmup", &O::alpha_warmup, at_least(1)},
                 Field{"eps", &O::eps, 1e-8, at_least(0)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O&) { return {"exp_avg_fast", "exp_avg_slow", "exp_avg_sq"}; }

  using Update = AdemamixUpdate;
  RuleOf(const O& o, const Moment& now) {
    lr = *o.lr;
    shrink = 1 - *o.lr * *o.weight_decay;
    sign = *o.maximize ? -1 : 1;
    beta1 = (*o.betas)[0];
    beta2 = (*o.betas)[1];
    beta3 = (*o.betas)[2];
    alpha = *o.alpha;
    correction = 1 / (1 - math::pow(beta1, static_cast<double>(now.step)));
    root_correction = 1 / std::sqrt(1 - math::pow(beta2, static_cast<double>(now.step)));
    eps = *o.eps;
    const auto part = [&](const std::optional<std::int64_t>& warmup) {
      return warmup && now.step < *warmup ? static_cast<double>(now.step) / static_cast<double>(*warmup) : 1;
    };
    alpha *= part(o.alpha_warmup);
    // The mean's half-life, not its beta, grows evenly.
    if (const double a = part(o.beta3_warmup); a < 1) {
      const auto half_life = [](double beta) { return math::log(0.5) / math::log(beta + 1e-8) - 1; };
      beta3 = math::pow(0.5, 1 / ((1 - a) * half_life(beta1) + a * half_life(beta3) + 1));
    }
  }
};

template class OptimizerOf<AdEMAMixOptions>;

}  // namespace gradus::optim
