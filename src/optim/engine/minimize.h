// The gradients of some parameters, and nothing else: what minimize computes.
#pragma once

#include <gradus/tensor.h>

#include <string>
#include <vector>

namespace gradus::optim {

// ValueError, in the name of `call`, where none of them requires a gradient.
void backward_for(const std::string& call, const Tensor& loss, const std::vector<Tensor>& parameters);

}  // namespace gradus::optim
