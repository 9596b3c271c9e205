#include <gradus/optim/rprop.h>

#include "kernels/formulas/rules.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

// A step grows where the gradient keeps its sign, and shrinks where it changes; there the gradient counts as zero.
// p -= step sign(g).
template <>
struct RuleOf<RpropOptions> : RpropUpdate {
  using O = RpropOptions;
  static constexpr const char* name = "Rprop";
  static constexpr auto options = std::tuple{
      Field{"lr", &O::lr, 1e-2, at_least(0)}, Field{"etas", &O::etas, std::pair(0.5, 1.2), inside(0, 1), above(1)},
      Field{"step_sizes", &O::step_sizes, std::pair(1e-6, 50.0), at_least(0), at_least(0)},
      Field{"maximize", &O::maximize, false}};
  static const char* check(const O& o) {
    return o.step_sizes->first <= o.step_sizes->second ? nullptr : "step_sizes must be the smallest and the largest";
  }
  static std::vector<const char*> state(const O&) { return {"prev", "step_size"}; }
  static double initial(const O& o, const char* state) { return std::string_view(state) == "prev" ? 0 : *o.lr; }

  using Update = RpropUpdate;
  RuleOf(const O& o, const Moment&) {
    shrink = o.etas->first;
    grow = o.etas->second;
    least = o.step_sizes->first;
    most = o.step_sizes->second;
    sign = *o.maximize ? -1 : 1;
  }
};

template class OptimizerOf<RpropOptions>;

}  // namespace gradus::optim
