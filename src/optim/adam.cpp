#include <gradus/optim/adam.h>

#include "optim/engine.h"

namespace gradus::optim {

namespace {

// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
// With amsgrad v's largest value so far stands for v in the last.
struct AdamUpdate {
  double shrink, decay, sign, beta1, beta2, step_size, root_correction, eps;

  template <class O>
  AdamUpdate(const O& o, const Moment& now, bool decoupled)
      : shrink(decoupled ? 1 - *o.lr * *o.weight_decay : 1),
        decay(decoupled ? 0 : *o.weight_decay),
        sign(*o.maximize ? -1 : 1),
        beta1(o.betas->first),
        beta2(o.betas->second),
        step_size(*o.lr / (1 - std::pow(beta1, static_cast<double>(now.step)))),
        root_correction(1 / std::sqrt(1 - std::pow(beta2, static_cast<double>(now.step)))),
        eps(*o.eps) {}

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& v) const {
    moments(p, g, m, v);
    p -= T(step_size) * m / (std::sqrt(v) * T(root_correction) + T(eps));
  }
  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& v, T& largest) const {
    moments(p, g, m, v);
    largest = v > largest ? v : largest;
    p -= T(step_size) * m / (std::sqrt(largest) * T(root_correction) + T(eps));
  }

 private:
  template <class T>
  GRADUS_INLINE void moments(T& p, T g, T& m, T& v) const {
    p *= T(shrink);
    g = T(sign) * g + T(decay) * p;
    m += T(1 - beta1) * (g - m);
    v = T(beta2) * v + T(1 - beta2) * g * g;
  }
};

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
  RuleOf(const O& o, const Moment& now) : AdamUpdate(o, now, *o.decoupled_weight_decay) {}
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
  RuleOf(const O& o, const Moment& now) : AdamUpdate(o, now, true) {}
};

template class OptimizerOf<AdamOptions>;
template class OptimizerOf<AdamWOptions>;

}  // namespace gradus::optim
