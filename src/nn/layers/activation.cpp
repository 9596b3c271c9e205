#include <gradus/nn/layers/activation.h>
#include <gradus/ops/in_place.h>

#include "nn/module/repr.h"

namespace gradus::nn {

ReLU::ReLU(bool inplace) : Module("ReLU", inplace ? "inplace=True" : ""), inplace_(inplace) {}

Tensor ReLU::forward(const Tensor& x) {
  if (!inplace_) return relu(x);
  Tensor y = x;
  y.relu_();
  return y;
}

LeakyReLU::LeakyReLU(double negative_slope, bool inplace)
    : Module("LeakyReLU", "negative_slope=" + repr(negative_slope) + (inplace ? ", inplace=True" : "")),
      negative_slope_(negative_slope),
      inplace_(inplace) {}

Tensor LeakyReLU::forward(const Tensor& x) {
  if (!inplace_) return leaky_relu(x, negative_slope_);
  Tensor y = x;
  return leaky_relu_(y, negative_slope_);
}

Hardtanh::Hardtanh(const char* type, std::string detail, double min_val, double max_val, bool inplace)
    : Module(type, std::move(detail)), min_val_(min_val), max_val_(max_val), inplace_(inplace) {
  if (!(min_val < max_val)) {
    throw ValueError("Hardtanh: min_val must be less than max_val, got " + repr(min_val) + " and " + repr(max_val));
  }
}

Hardtanh::Hardtanh(double min_val, double max_val, bool inplace)
    : Hardtanh("Hardtanh",
               "min_val=" + repr(min_val) + ", max_val=" + repr(max_val) + (inplace ? ", inplace=True" : ""), min_val,
               max_val, inplace) {}

Tensor Hardtanh::forward(const Tensor& x) {
  if (!inplace_) return hardtanh(x, min_val_, max_val_);
  Tensor y = x;
  return hardtanh_(y, min_val_, max_val_);
}

ELU::ELU(double alpha, bool inplace)
    : Module("ELU", "alpha=" + repr(alpha) + (inplace ? ", inplace=True" : "")), alpha_(alpha), inplace_(inplace) {}

Tensor ELU::forward(const Tensor& x) {
  if (!inplace_) return elu(x, alpha_);
  Tensor y = x;
  return elu_(y, alpha_);
}

Tensor SiLU::forward(const Tensor& x) {
  if (!inplace_) return silu(x);
  Tensor y = x;
  return silu_(y);
}

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
