// Binary cross entropy, of probabilities and of logits.
#include <gradus/autocast.h>

#include <cmath>

#include "kernels/formulas/losses.h"
#include "nn/loss/loss.h"
#include "ops/elementwise/elementwise.h"

namespace gradus::nn {

using namespace ops;

namespace functional {

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const BceOptions& options) {
  if (autocasts_loss(input, target)) return binary_cross_entropy(autocast_loss(input), autocast_loss(target), options);
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
  if (autocasts_loss(input, target))
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
