#include <gradus/optim/lion.h>

#include "optim/engine/engine.h"

namespace gradus::optim {

// p *= 1 - lr weight_decay;  p -= lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g.
template <>
struct RuleOf<LionOptions> {
  using O = LionOptions;
  static constexpr const char* name = "Lion";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-4, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.99), from_below(0, 1), from_below(0, 1)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)}, Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O&) { return {"exp_avg"}; }

  double lr, shrink, sign, beta1, beta2;
  RuleOf(const O& o, const Moment&)
      : lr(*o.lr),
        shrink(1 - *o.lr * *o.weight_decay),
        sign(*o.maximize ? -1 : 1),
        beta1(o.betas->first),
        beta2(o.betas->second) {}

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m) const {
    g *= T(sign);
    const T direction = m + T(1 - beta1) * (g - m);
    p = p * T(shrink) - T(lr) * (direction > 0 ? T(1) : direction < 0 ? T(-1) : direction);
    m += T(1 - beta2) * (g - m);
  }
};

template class OptimizerOf<LionOptions>;

}  // namespace gradus::optim
