// Activation recomputation, as torch.utils.checkpoint: a part of a network keeps its inputs alone, and computes the
// rest again when its backward runs. That takes one more forward of the part, and the memory of one part at a time.
//
//   y = nn::checkpoint(block, x);
//   nn::recompute(net, "layers.*");  // each call of these modules, from now on
//
// The results have the bits that they have without it. Random numbers are drawn again as they were, buffers (running
// statistics) hold during the second run what they held before the first and are moved once, and autocast is as it was.
// The part must compute the same both times. Its gradients cannot be differentiated again (AutogradError).
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

// module(x). The module must live until the backward has run.
Tensor checkpoint(Module& module, const Tensor& x);

// fn(inputs), for parts of several inputs. Parameters that fn uses must be those of `module`, and so must its buffers.
Tensor checkpoint(Module& module, std::function<Tensor(const std::vector<Tensor>&)> fn,
                  const std::vector<Tensor>& inputs);

// The modules of one input whose names match (see gradus/pattern.h) are recomputed in each call that records; modules
// within one that is recomputed already are left alone. Returns their names; ValueError if nothing matches.
std::vector<std::string> recompute(Module& net, const std::string& pattern);
// None are.
void keep_activations(Module& net);

}  // namespace gradus::nn
