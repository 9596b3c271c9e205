#include <gradus/optim/asgd.h>

#include "kernels/formulas/rules.h"
#include "kernels/math.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// g' = g + weight_decay p;  p = (1 - lambd eta) p - eta g';  ax += mu (p - ax). As PyTorch's, an update takes the eta
// and the mu that the one before left: so they are state.
template <>
struct RuleOf<ASGDOptions> : AsgdUpdate {
  using O = ASGDOptions;
  static constexpr const char* name = "ASGD";
  static constexpr auto options = std::tuple{Field{"lr", &O::lr, 1e-2, at_least(0)},
                                             Field{"lambd", &O::lambd, 1e-4},
                                             Field{"alpha", &O::alpha, 0.75},
                                             Field{"t0", &O::t0, 1e6},
                                             Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                                             Field{"maximize", &O::maximize, false}};
  static constexpr std::array numbers{Number{"eta", 0.0}, Number{"mu", 1.0}};
  static std::vector<const char*> state(const O&) { return {"ax"}; }

  using Update = AsgdUpdate;
  RuleOf(const O& o, Moment& now) {
    eta = now.step == 1 ? *o.lr : now.numbers[0];
    mu = now.numbers[1];
    shrink = 1 - *o.lambd * eta;
    decay = *o.weight_decay;
    sign = *o.maximize ? -1 : 1;
    const double t = static_cast<double>(now.step);
    now.numbers = {*o.lr / math::pow(1 + *o.lambd * *o.lr * t, *o.alpha), 1 / std::max(1.0, t - *o.t0)};
  }
};

template class OptimizerOf<ASGDOptions>;

}  // namespace gradus::optim
