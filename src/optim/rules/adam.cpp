#include <gradus/optim/adam.h>

#include "optim/engine/engine.h"
#include "optim/rules/adam_update.h"

namespace gradus::optim {

namespace {

template <class O>
std::vector<const char*> adam_state(const O& o) {
  if (*o.amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq"};
}

}  // namespace

template <>
struct RuleOf<AdamOptions> : AdamUpdate {
  using O = AdamOptions;
  static constexpr const char* name = "Adam";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-3, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.999), from_below(0, 1), from_below(0, 1)},
                 Field{"eps", &O::eps, 1e-8, at_least(0)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"amsgrad", &O::amsgrad, false},
                 Field{"maximize", &O::maximize, false},
                 Field{"decoupled_weight_decay", &O::decoupled_weight_decay, false}};
  static std::vector<const char*> state(const O& o) { return adam_state(o); }
  using Update = AdamUpdate;
  RuleOf(const O& o, const Moment& now) : AdamUpdate(adam_update(o, now, *o.decoupled_weight_decay)) {}
};

template <>
struct RuleOf<AdamWOptions> : AdamUpdate {
  using O = AdamWOptions;
  static constexpr const char* name = "AdamW";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-3, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.999), from_below(0, 1), from_below(0, 1)},
                 Field{"eps", &O::eps, 1e-8, at_least(0)},
                 Field{"weight_decay", &O::weight_decay, 1e-2, at_least(0)},
                 Field{"amsgrad", &O::amsgrad, false},
                 Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O& o) { return adam_state(o); }
  using Update = AdamUpdate;
  RuleOf(const O& o, const Moment& now) : AdamUpdate(adam_update(o, now, true)) {}
};

template class OptimizerOf<AdamOptions>;
template class OptimizerOf<AdamWOptions>;

}  // namespace gradus::optim
