#include <gradus/autograd.h>
#include <gradus/nn/utils/convert_parameters.h>
#include <gradus/ops.h>

#include <string>

namespace gradus::nn::utils {

Tensor parameters_to_vector(const std::vector<Tensor>& parameters) {
  std::vector<Tensor> flat;
  flat.reserve(parameters.size());
  for (const Tensor& p : parameters) {
    if (p.dtype() != parameters[0].dtype() || p.device() != parameters[0].device()) {
      throw ValueError("parameters_to_vector: all must be of one type and on one device, got " +
                       std::string(to_string(parameters[0].dtype())) + " on " + to_string(parameters[0].device()) +
                       " and " + to_string(p.dtype()) + " on " + to_string(p.device()));
    }
    flat.push_back(reshape(p, {-1}));
  }
  return flat.empty() ? empty({0}) : cat(flat);
}

void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters) {
  std::int64_t total = 0;
  for (const Tensor& p : parameters) total += p.numel();
  if (vector.dim() != 1 || vector.numel() != total) {
    throw ValueError("vector_to_parameters: needs a vector [" + std::to_string(total) + "], got sizes " +
                     to_string(vector.sizes()));
  }
  NoGrad no_grad;
  std::int64_t at = 0;
  for (const Tensor& p : parameters) {
    p.copy_(vector.narrow(0, at, p.numel()).view(p.sizes()));
    at += p.numel();
  }
}

}  // namespace gradus::nn::utils
