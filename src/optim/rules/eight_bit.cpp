#include <gradus/optim/eight_bit.h>

#include <cstring>

#include "optim/engine/engine.h"
#include "optim/rules/adam_update.h"
#include "optim/rules/lion_update.h"

namespace gradus::optim {

namespace {

// bitsandbytes' limit: below it, codes save little.
constexpr std::int64_t kSmallest = 4096;
using cpu::kQuantisedBlock;

// What a rule says of state in codes, whose names end in these.
struct InCodes {
  static bool is(const char* state, const char* kind) { return std::string_view(state).ends_with(kind); }
  // Other devices have no loops for codes.
  template <class O>
  static const char* check_parameter(const O&, const Tensor& p) {
    return p.numel() < kSmallest || p.device() == kCPU ? nullptr : "must be on the CPU for state of 8 bits";
  }
  static Shape sizes(const Tensor& p, const char* state) {
    if (is(state, "_absmax")) return {(p.numel() + kQuantisedBlock - 1) / kQuantisedBlock};
    return p.sizes();
  }
  static Dtype dtype(const Tensor& p, const char* state) {
    return is(state, "_codes") ? kUInt8 : is(state, "_absmax") ? kFloat32 : p.dtype();
  }
};

}  // namespace

template <>
struct RuleOf<AdamW8bitOptions> : AdamUpdate, InCodes {
  using O = AdamW8bitOptions;
  static constexpr const char* name = "AdamW8bit";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-3, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.999), from_below(0, 1), from_below(0, 1)},
                 Field{"eps", &O::eps, 1e-8, at_least(0)}, Field{"weight_decay", &O::weight_decay, 1e-2, at_least(0)},
                 Field{"maximize", &O::maximize, false}};
  static constexpr std::array quantised{true, false};
  static std::vector<const char*> state(const O&, const Tensor& p) {
    if (p.numel() < kSmallest) return {"exp_avg", "exp_avg_sq"};
    return {"exp_avg_codes", "exp_avg_absmax", "exp_avg_sq_codes", "exp_avg_sq_absmax"};
  }
  static double initial(const O&, const char* state) {
    return std::strcmp(state, "exp_avg_codes") == 0 ? cpu::kZeroWithSign : 0;
  }
  using Update = AdamUpdate;
  RuleOf(const O& o, const Moment& now) : AdamUpdate(adam_update(o, now, true)) {}
};

template <>
struct RuleOf<Lion8bitOptions> : LionUpdate, InCodes {
  using O = Lion8bitOptions;
  static constexpr const char* name = "Lion8bit";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-4, at_least(0)},
                 Field{"betas", &O::betas, std::pair(0.9, 0.99), from_below(0, 1), from_below(0, 1)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)}, Field{"maximize", &O::maximize, false}};
  static constexpr std::array quantised{true};
  static std::vector<const char*> state(const O&, const Tensor& p) {
    if (p.numel() < kSmallest) return {"exp_avg"};
    return {"exp_avg_codes", "exp_avg_absmax"};
  }
  static double initial(const O&, const char* state) {
    return std::strcmp(state, "exp_avg_codes") == 0 ? cpu::kZeroWithSign : 0;
  }
  using Update = LionUpdate;
  RuleOf(const O& o, const Moment&) : LionUpdate(lion_update(o)) {}
};

template class OptimizerOf<AdamW8bitOptions>;
template class OptimizerOf<Lion8bitOptions>;

}  // namespace gradus::optim
