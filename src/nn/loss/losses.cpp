// Losses of differences, and the divergence of distributions.
#include <gradus/autocast.h>

#include <cmath>

#include "kernels/formulas/losses.h"
#include "nn/loss/loss.h"
#include "ops/elementwise/elementwise.h"

namespace gradus::nn {

using namespace ops;

namespace {

void require_at_least(const char* rule, double value, bool valid) {
  if (!valid || !std::isfinite(value)) throw ValueError(std::string(rule) + ", got " + std::to_string(value));
}

}  // namespace

namespace functional {

Tensor mse_loss(const Tensor& input, const Tensor& target, const LossOptions& options) {
  if (autocasts_loss(input, target)) return mse_loss(autocast_loss(input), autocast_loss(target), options);
  require_same_sizes("mse_loss", input, target);
  gradus::detail::begin_loss("mse_loss", input, target);
  return reduced("mse_loss", binary(SquaredError{}, input, target), options.reduction);
}

Tensor l1_loss(const Tensor& input, const Tensor& target, const LossOptions& options) {
  if (autocasts_loss(input, target)) return l1_loss(autocast_loss(input), autocast_loss(target), options);
  require_same_sizes("l1_loss", input, target);
  gradus::detail::begin_loss("l1_loss", input, target);
  return reduced("l1_loss", binary(AbsoluteError{}, input, target), options.reduction);
}

Tensor huber_loss(const Tensor& input, const Tensor& target, const HuberOptions& options) {
  if (autocasts_loss(input, target)) return huber_loss(autocast_loss(input), autocast_loss(target), options);
  require_same_sizes("huber_loss", input, target);
  gradus::detail::begin_loss("huber_loss", input, target);
  require_at_least("huber_loss: delta must be finite and above 0", options.delta, options.delta > 0);
  return reduced("huber_loss", binary(Huber{options.delta}, input, target), options.reduction);
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1Options& options) {
  if (autocasts_loss(input, target)) return smooth_l1_loss(autocast_loss(input), autocast_loss(target), options);
  require_same_sizes("smooth_l1_loss", input, target);
  gradus::detail::begin_loss("smooth_l1_loss", input, target);
  require_at_least("smooth_l1_loss: beta must be finite and not below 0", options.beta, options.beta >= 0);
  if (options.beta == 0) return l1_loss(input, target, {.reduction = options.reduction});
  return reduced("smooth_l1_loss", binary(SmoothL1{options.beta}, input, target), options.reduction);
}

Tensor kl_div(const Tensor& input, const Tensor& target, const KlDivOptions& options) {
  if (autocasts_loss(input, target)) return kl_div(autocast_loss(input), autocast_loss(target), options);
  require_same_sizes("kl_div", input, target);
  gradus::detail::begin_loss("kl_div", input, target);
  const Tensor losses = options.log_target ? exp(target) * (target - input) : binary(Divergence{}, input, target);
  if (options.reduction != Reduction::BatchMean) return reduced("kl_div", losses, options.reduction);
  return input.dim() == 0 ? losses : sum(losses) / input.size(0);
}

}  // namespace functional
}  // namespace gradus::nn
