// Limits on gradients: torch.nn.utils' functions, and a policy that an optimizer applies at every step.
#pragma once

#include <gradus/optim/state/params.h>

namespace gradus::optim {

// What a step does if a gradient contains a NaN or an infinity. PyTorch always propagates.
enum class NonFinite {
  error,     // ValueError with the parameter and its step; nothing has changed
  skip,      // nothing is updated and nothing advances; step() returns false
  propagate  // the step runs as if it were finite
};

// The argument of Optimizer::set_clipping. max_value is applied before max_norm.
struct ClippingOptions {
  std::optional<double> max_norm = {};   // finite, at least 0
  double norm_type = 2;                  // above 0; may be infinite
  std::optional<double> max_value = {};  // finite, at least 0
  bool per_group = false;                // limit the norm of each group separately
  NonFinite nonfinite = NonFinite::error;
};

}  // namespace gradus::optim

// As in torch.nn.utils, in place, in one pass over all tensors for the norm and one where it changes them. Parameters
// without a gradient do not count. Sums are in double, and the same for any number of threads. Parameters come as
// net.parameters(), a module, or tensors, of type float32 or float64.
namespace gradus::nn::utils {

// The norm of all elements of all tensors, as a 0-d tensor: float64 where one of them is. ValueError naming the first
// tensor with an element that is not finite, if error_if_nonfinite. Of order 0 and below: the norm of their norms.
Tensor get_total_norm(const optim::Params& tensors, double norm_type = 2, bool error_if_nonfinite = false);

// Multiplies the gradients by max_norm / (total_norm + 1e-6), where that is below 1.
void clip_grads_with_norm_(const optim::Params& parameters, double max_norm, const Tensor& total_norm);

// Clips the norm as the two functions above do, and returns the norm before clipping. An infinite max_norm only
// measures.
Tensor clip_grad_norm_(const optim::Params& parameters, double max_norm, double norm_type = 2,
                       bool error_if_nonfinite = false);

// Clamps each element of the gradients to [-clip_value, clip_value].
void clip_grad_value_(const optim::Params& parameters, double clip_value);

}  // namespace gradus::nn::utils
