// Limits on gradients: torch.nn.utils' functions, and a policy that an optimizer applies at every step.
#pragma once

#include <gradus/optim/params.h>

namespace gradus::optim {

// What a step does about a gradient with a NaN or an infinity in it. PyTorch propagates.
enum class NonFinite {
  error,     // ValueError with the parameter and its step; nothing has changed
  skip,      // nothing is updated and nothing advances; step() returns false
  propagate  // nothing
};

// What Optimizer::set_clipping takes. Limits of the value come before those of the norm.
struct ClippingOptions {
  std::optional<double> max_norm = {};   // finite, at least 0
  double norm_type = 2;                  // above 0; may be infinite
  std::optional<double> max_value = {};  // finite, at least 0
  bool per_group = false;                // each group has a norm of its own
  NonFinite nonfinite = NonFinite::error;
};

}  // namespace gradus::optim

// As in torch.nn.utils, in place, in one pass over all tensors for the norm and one where it changes them. Parameters
// without a gradient do not count. Sums are in double, and the same for any number of threads. Parameters come as
// net.parameters(), a module, or tensors, of type float32 or float64.
namespace gradus::nn::utils {

// The norm of all elements of all tensors, as a 0-d tensor: float64 where one of them is. ValueError naming the first
// tensor with an element that is not finite, if error_if_nonfinite.
Tensor get_total_norm(const optim::Params& tensors, double norm_type = 2, bool error_if_nonfinite = false);

// Multiplies the gradients by max_norm / (total_norm + 1e-6), where that is below 1.
void clip_grads_with_norm_(const optim::Params& parameters, double max_norm, const Tensor& total_norm);

// Both; the norm from before. max_norm may be infinite: that only measures.
Tensor clip_grad_norm_(const optim::Params& parameters, double max_norm, double norm_type = 2,
                       bool error_if_nonfinite = false);

// Puts each element of the gradients into [-clip_value, clip_value].
void clip_grad_value_(const optim::Params& parameters, double clip_value);

}  // namespace gradus::nn::utils
