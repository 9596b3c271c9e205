#include <gradus/optim/rmsprop.h>

#include <limits>

#include "optim/engine/engine.h"

namespace gradus::optim {

// g' = g + weight_decay p;  s = alpha s + (1 - alpha) g'^2;  p -= lr g' / (sqrt(s) + eps).
// Centred, s - a^2 stands for s in the last, with a = alpha a + (1 - alpha) g'. Where no more of the difference is left
// than rounding (it may be below zero then), the rounding error of s stands for it. With momentum
// b = momentum b + g' / (sqrt(s) + eps);  p -= lr b.
template <>
struct RuleOf<RMSpropOptions> {
  using O = RMSpropOptions;
  static constexpr const char* name = "RMSprop";
  static constexpr auto options = std::tuple{Field{"lr", &O::lr, 1e-2, at_least(0)},
                                             Field{"alpha", &O::alpha, 0.99, at_least(0)},
                                             Field{"eps", &O::eps, 1e-8, at_least(0)},
                                             Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                                             Field{"momentum", &O::momentum, 0.0, at_least(0)},
                                             Field{"centered", &O::centered, false},
                                             Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O& o) {
    std::vector<const char*> names{"square_avg"};
    if (*o.centered) names.push_back("grad_avg");
    if (*o.momentum > 0) names.push_back("momentum_buffer");
    return names;
  }

  double lr, alpha, eps, decay, momentum, sign;
  bool centered;
  RuleOf(const O& o, const Moment&)
      : lr(*o.lr),
        alpha(*o.alpha),
        eps(*o.eps),
        decay(*o.weight_decay),
        momentum(*o.momentum),
        sign(*o.maximize ? -1 : 1),
        centered(*o.centered) {}

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& s) const {
    g = gradient(p, g, s);
    p -= T(lr) * g / (std::sqrt(s) + T(eps));
  }
  // `other` is the mean gradient or the momentum.
  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& s, T& other) const {
    g = gradient(p, g, s);
    if (centered) {
      p -= T(lr) * g / deviation(g, s, other);
    } else {
      other = T(momentum) * other + g / (std::sqrt(s) + T(eps));
      p -= T(lr) * other;
    }
  }
  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& s, T& mean, T& b) const {
    g = gradient(p, g, s);
    const T d = deviation(g, s, mean);  // its branch first: a product and its sum round alike only side by side
    b = T(momentum) * b + g / d;
    p -= T(lr) * b;
  }

 private:
  template <class T>
  GRADUS_INLINE T gradient(T p, T g, T& s) const {
    g = T(sign) * g + T(decay) * p;
    s = T(alpha) * s + T(1 - alpha) * g * g;
    return g;
  }
  template <class T>
  GRADUS_INLINE T deviation(T g, T s, T& mean) const {
    mean += T(1 - alpha) * (g - mean);
    const T variance = s - mean * mean, least = std::numeric_limits<T>::epsilon() * s;
    return std::sqrt(variance > least ? variance : least) + T(eps);
  }
};

template class OptimizerOf<RMSpropOptions>;

}  // namespace gradus::optim
