#include <gradus/optim/lion.h>

#include "optim/engine/engine.h"
#include "optim/rules/lion_update.h"

namespace gradus::optim {

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
  RuleOf(const O& o, const Moment&) : LionUpdate(lion_update(o)) {}
};

template class OptimizerOf<LionOptions>;

}  // namespace gradus::optim
