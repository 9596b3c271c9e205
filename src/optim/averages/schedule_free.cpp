#include <gradus/optim/schedule_free.h>

#include "optim/engine/engine.h"

namespace gradus::optim {

namespace {

// x += c (z - x), c being update t's part of the sum of all weights t^r max(rate)^power;  y = z + momentum (x - z).
struct Averaging {
  double momentum, part = 0;
  bool fresh;

  template <class O>
  Averaging(const O& o, double momentum_, double rate, Moment& now) : momentum(momentum_), fresh(now.fresh) {
    double &weight_sum = now.numbers[0], &largest_rate = now.numbers[1];
    largest_rate = std::max(largest_rate, rate);
    const double weight = std::pow(static_cast<double>(now.step), *o.r) * std::pow(largest_rate, *o.weight_lr_power);
    weight_sum += weight;
    if (weight_sum > 0) part = weight / weight_sum;
  }

  // One expression for both places that compute y, so that they give the same bits.
  template <class T>
  GRADUS_INLINE static T training_point(T x, T z, double momentum) {
    return z + T(momentum) * (x - z);
  }
  template <class T>
  GRADUS_INLINE void start(T p, T& x, T& z) const {
    x = fresh ? p : x;
    z = fresh ? p : z;
  }
  template <class T>
  GRADUS_INLINE T average(T& x, T z) const {
    x += T(part) * (z - x);
    return training_point(x, z, momentum);
  }
};

template <class O>
double warm_rate(const O& o, const Moment& now) {
  if (now.step >= *o.warmup_steps) return *o.lr;
  return *o.lr * static_cast<double>(now.step) / static_cast<double>(*o.warmup_steps);
}

struct ShowTraining {
  double momentum;
  template <class T>
  GRADUS_INLINE void update(T& p, T, T& x, T& z) const {
    p = Averaging::training_point(x, z, momentum);
  }
};

void show_training_point(double momentum, Tensor& p, const Tensor& x, const Tensor& z) {
  if (p.dtype() == x.dtype()) {
    update_elements(ShowTraining{momentum}, p, p, x, z);
    gradus::detail::bump_version(p);
  } else {  // converted since the last step
    Tensor y = x.clone();
    update_elements(ShowTraining{momentum}, y, y, x, z);
    p.copy_(y);
  }
}

constexpr std::array kNumbers{Number{"weight_sum", 0.0}, Number{"lr_max", 0.0}};

}  // namespace

// z -= rate (g + weight_decay y).
template <>
struct RuleOf<SGDScheduleFreeOptions> : Averaging {
  using O = SGDScheduleFreeOptions;
  static constexpr const char* name = "SGDScheduleFree";
  static constexpr auto options = std::tuple{Field{"lr", &O::lr, 1.0, at_least(0)},
                                             Field{"momentum", &O::momentum, 0.9, between(0, 1)},
                                             Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                                             Field{"warmup_steps", &O::warmup_steps, std::int64_t{0}, at_least(0)},
                                             Field{"r", &O::r, 0.0},
                                             Field{"weight_lr_power", &O::weight_lr_power, 2.0, at_least(0)},
                                             Field{"maximize", &O::maximize, false}};
  static constexpr std::array numbers = kNumbers;
  static constexpr std::array points{"x", "z"};
  static std::vector<const char*> state(const O&) { return {"x", "z"}; }
  static void show_training(const O& o, Tensor& p, const Tensor& x, const Tensor& z) {
    show_training_point(*o.momentum, p, x, z);
  }

  double rate, decay, sign;
  RuleOf(const O& o, Moment& now)
      : Averaging(o, *o.momentum, warm_rate(o, now), now),
        rate(warm_rate(o, now)),
        decay(*o.weight_decay),
        sign(*o.maximize ? -1 : 1) {}

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& x, T& z) const {
    start(p, x, z);
    z -= T(rate) * (T(sign) * g + T(decay) * p);
    p = average(x, z);
  }
};

// v = b2 v + (1 - b2) g^2;  z -= rate sqrt(1 - b2^t) (g / (sqrt(v) + eps) + weight_decay y).
template <>
struct RuleOf<AdamWScheduleFreeOptions> : Averaging {
  using O = AdamWScheduleFreeOptions;
  static constexpr const char* name = "AdamWScheduleFree";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 2.5e-3, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.999), between(0, 1), from_below(0, 1)},
                 Field{"eps", &O::eps, 1e-8, at_least(0)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"warmup_steps", &O::warmup_steps, std::int64_t{0}, at_least(0)},
                 Field{"r", &O::r, 0.0},
                 Field{"weight_lr_power", &O::weight_lr_power, 2.0, at_least(0)},
                 Field{"maximize", &O::maximize, false}};
  static constexpr std::array numbers = kNumbers;
  static constexpr std::array points{"x", "z"};
  static std::vector<const char*> state(const O&) { return {"x", "z", "exp_avg_sq"}; }
  static void show_training(const O& o, Tensor& p, const Tensor& x, const Tensor& z) {
    show_training_point(o.betas->first, p, x, z);
  }

  double rate, beta2, eps, decay, sign;
  RuleOf(const O& o, Moment& now)
      : Averaging(o, o.betas->first, corrected_rate(o, now), now),
        rate(corrected_rate(o, now)),
        beta2(o.betas->second),
        eps(*o.eps),
        decay(*o.weight_decay),
        sign(*o.maximize ? -1 : 1) {}
  static double corrected_rate(const O& o, const Moment& now) {
    return warm_rate(o, now) * std::sqrt(1 - std::pow(o.betas->second, static_cast<double>(now.step)));
  }

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& x, T& z, T& v) const {
    start(p, x, z);
    v = T(beta2) * v + T(1 - beta2) * g * g;
    z -= T(rate) * (T(sign) * g / (std::sqrt(v) + T(eps)) + T(decay) * p);
    p = average(x, z);
  }
};

template class OptimizerOf<SGDScheduleFreeOptions>;
template class OptimizerOf<AdamWScheduleFreeOptions>;

}  // namespace gradus::optim
