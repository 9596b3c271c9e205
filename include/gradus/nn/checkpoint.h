// Activation recomputation, as torch.utils.checkpoint: a part of a network keeps only its inputs, and computes the
// rest again when its backward runs. This costs one more forward of the part, and needs the memory of one part at a
// time.
//
//   y = nn::checkpoint(block, x);
//   nn::recompute(net, "layers.*");  // each call of these modules, from now on
//
// Results and gradients are bit for bit those without it. The second run draws the same random numbers, sees the
// buffers (running statistics) as they were before the first run and does not update them again, and has the same
// autocast. The part must compute the same both times. Its gradients cannot be differentiated again (AutogradError).
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

// module(x). The module must live until the backward has run.
Tensor checkpoint(Module& module, const Tensor& x);

// fn(inputs), for parts with several inputs. All parameters and buffers that fn uses must belong to `module`.
Tensor checkpoint(Module& module, std::function<Tensor(const std::vector<Tensor>&)> fn,
                  const std::vector<Tensor>& inputs);

// From now on the modules of one input whose names match (see gradus/core/pattern.h) are recomputed in each call that
// records gradients; modules inside of one that is recomputed already are left alone. Returns their names. ValueError
// if nothing matches.
std::vector<std::string> recompute(Module& net, const std::string& pattern);
// Ends what recompute() began, for all modules of the network.
void keep_activations(Module& net);

}  // namespace gradus::nn
