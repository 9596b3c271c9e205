#include <gradus/optim/schedule_free.h>

#include "kernels/formulas/moment_rules.h"
#include "kernels/math.h"
#include "optim/engine/engine.h"

namespace gradus::optim {

namespace {

// x += c (z - x), c being update t's part of the sum of all weights t^r max(rate)^power;  y = z + momentum (x - z).
template <class O>
Averaging averaging(const O& o, double momentum, double rate, Moment& now) {
  double &weight_sum = now.numbers[0], &largest_rate = now.numbers[1];
  largest_rate = std::max(largest_rate, rate);
  const double weight = math::pow(static_cast<double>(now.step), *o.r) * math::pow(largest_rate, *o.weight_lr_power);
  weight_sum += weight;
  return {momentum, weight_sum > 0 ? weight / weight_sum : 0, now.fresh};
}

template <class O>
double warm_rate(const O& o, const Moment& now) {
  if (now.step >= *o.warmup_steps) return *o.lr;
  return *o.lr * static_cast<double>(now.step) / static_cast<double>(*o.warmup_steps);
}

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
struct RuleOf<SGDScheduleFreeOptions> : SgdScheduleFreeUpdate {
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

  using Update = SgdScheduleFreeUpdate;
  RuleOf(const O& o, Moment& now)
      : SgdScheduleFreeUpdate{averaging(o, *o.momentum, warm_rate(o, now), now), warm_rate(o, now), *o.weight_decay,
                              *o.maximize ? -1.0 : 1.0} {}
};

// v = b2 v + (1 - b2) g^2;  z -= rate sqrt(1 - b2^t) (g / (sqrt(v) + eps) + weight_decay y).
template <>
struct RuleOf<AdamWScheduleFreeOptions> : AdamwScheduleFreeUpdate {
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

  using Update = AdamwScheduleFreeUpdate;
  RuleOf(const O& o, Moment& now)
      : AdamwScheduleFreeUpdate{averaging(o, o.betas->first, corrected_rate(o, now), now),
                                corrected_rate(o, now),
                                o.betas->second,
                                *o.eps,
                                *o.weight_decay,
                                *o.maximize ? -1.0 : 1.0} {}
  static double corrected_rate(const O& o, const Moment& now) {
    return warm_rate(o, now) * std::sqrt(1 - math::pow(o.betas->second, static_cast<double>(now.step)));
  }
};

template class OptimizerOf<SGDScheduleFreeOptions>;
template class OptimizerOf<AdamWScheduleFreeOptions>;

}  // namespace gradus::optim
