#include <gradus/nn/activation.h>

#include "nn/repr.h"

namespace gradus::nn {

ReLU::ReLU(bool inplace) : Module("ReLU", inplace ? "inplace=True" : ""), inplace_(inplace) {}

Tensor ReLU::forward(const Tensor& x) {
  if (!inplace_) return relu(x);
  Tensor y = x;
  y.relu_();
  return y;
}

LeakyReLU::LeakyReLU(double negative_slope)
    : Module("LeakyReLU", "negative_slope=" + repr(negative_slope)), negative_slope_(negative_slope) {}

ELU::ELU(double alpha) : Module("ELU", "alpha=" + repr(alpha)), alpha_(alpha) {}

GELU::GELU(std::string approximate)
    : Module("GELU", "approximate='" + approximate + "'"), approximate_(std::move(approximate)) {
  if (approximate_ != "none" && approximate_ != "tanh") {
    throw ValueError("GELU: approximate must be 'none' or 'tanh', got '" + approximate_ + "'");
  }
}

Softplus::Softplus(double beta, double threshold)
    : Module("Softplus", "beta=" + repr(beta) + ", threshold=" + repr(threshold)), beta_(beta), threshold_(threshold) {}

Softmax::Softmax(std::int64_t dim) : Module("Softmax", "dim=" + std::to_string(dim)), dim_(dim) {}

LogSoftmax::LogSoftmax(std::int64_t dim) : Module("LogSoftmax", "dim=" + std::to_string(dim)), dim_(dim) {}

}  // namespace gradus::nn
