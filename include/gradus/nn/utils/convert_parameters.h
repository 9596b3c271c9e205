// torch.nn.utils: parameters as one vector, for what works on all of a network at once.
#pragma once

#include <vector>

#include <gradus/tensor.h>

namespace gradus::nn::utils {

// [n]: the elements of all tensors in row-major order, one tensor after the other. Differentiable. The tensors must be
// of one type and on one device.
Tensor parameters_to_vector(const std::vector<Tensor>& parameters);

// Copies the elements back, without recording. ValueError, with nothing changed, unless the vector has exactly as many
// as the parameters; PyTorch takes a longer one, and lets the parameters share its memory.
void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters);

}  // namespace gradus::nn::utils
