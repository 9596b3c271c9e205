// Binary cross entropy, of probabilities and of logits.
#include <gradus/autocast.h>

#include <cmath>

#include "nn/loss/loss.h"
#include "ops/elementwise/elementwise.h"

namespace gradus::nn {

using namespace ops;

namespace {

// Of probabilities p: the logarithms end at -100, and the slope's denominator at float's 1e-12, as in PyTorch.
struct Bce {
  static constexpr const char* name = "binary_cross_entropy";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.a = true};
  template <class T>
  GRADUS_INLINE T f(T p, T t) const {
    const T yes = std::log(p), no = std::log1p(-p);
    return (t - 1) * (no < -100 ? T(-100) : no) - t * (yes < -100 ? T(-100) : yes);
  }
  Tensor da(const Tensor& g, const Tensor& p, const Tensor& t) const {
    return g * (p - t) / clamp((1 - p) * p, 1e-12f);
  }
  Tensor db(const Tensor& g, const Tensor& p, const Tensor&) const { return g * (log1p(-p) - log(p)); }
};

// Of logits x: (1 - t) x + log(1 + exp(-x)), arranged so that exp never overflows.
struct BceWithLogits {
  static constexpr const char* name = "binary_cross_entropy_with_logits";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.a = true};
  template <class T>
  GRADUS_INLINE T f(T x, T t) const {
    return (1 - t) * x + (x < 0 ? -x : T(0)) + std::log1p(std::exp(-std::abs(x)));
  }
  Tensor da(const Tensor& g, const Tensor& x, const Tensor& t) const { return g * (sigmoid(x) - t); }
  Tensor db(const Tensor& g, const Tensor& x, const Tensor&) const { return -(g * x); }
};

}  // namespace

namespace functional {

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const BceOptions& options) {
  if (autocasts(kBFloat16, input, target))
    return binary_cross_entropy(autocast_loss(input), autocast_loss(target), options);
  const char* call = "binary_cross_entropy";
  require_same_sizes(call, input, target);
  gradus::detail::begin_loss(call, input, target);
  if (input.numel() > 0 && input.device() == kCPU) {  // of another device, the answer would have to be waited for
    const NoGrad guard;
    const double low = amin(input).item(), high = amax(input).item();
    if (!(low >= 0 && high <= 1)) {
      throw ValueError("binary_cross_entropy: inputs must be in [0, 1], got values from " + std::to_string(low) +
                       " to " + std::to_string(high));
    }
  }
  return reduced(call, weighted(call, binary(Bce{}, input, target), options.weight), options.reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const BceWithLogitsOptions& options) {
  if (autocasts(kBFloat16, input, target))
    return binary_cross_entropy_with_logits(autocast_loss(input), autocast_loss(target), options);
  const char* call = "binary_cross_entropy_with_logits";
  require_same_sizes(call, input, target);
  gradus::detail::begin_loss(call, input, target);
  Tensor losses;
  if (!options.pos_weight.defined()) {
    losses = binary(BceWithLogits{}, input, target);
  } else {
    const Tensor log_weight = 1 + (options.pos_weight - 1) * target;
    losses = (1 - target) * input - log_weight * logsigmoid(input);
    if (!(losses.sizes() == input.sizes())) {
      throw ShapeError("binary_cross_entropy_with_logits: pos_weight must broadcast against sizes " +
                       to_string(input.sizes()) + ", got " + to_string(options.pos_weight.sizes()));
    }
  }
  return reduced(call, weighted(call, losses, options.weight), options.reduction);
}

}  // namespace functional
}  // namespace gradus::nn
