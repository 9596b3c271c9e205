// What losses share: checks and the reduction of their elements.
#pragma once

#include <gradus/nn/functional.h>

namespace gradus::nn {

inline void require_floating(const char* call, const Tensor& input) {
  if (input.is_floating_point()) return;
  throw DtypeError(std::string(call) + ": needs a floating-point input, got " + to_string(input.dtype()));
}

inline void require_same_sizes(const char* call, const Tensor& input, const Tensor& target) {
  require_floating(call, input);
  if (input.sizes() == target.sizes()) return;
  throw ShapeError(std::string(call) + ": input and target must have the same sizes, got " + to_string(input.sizes()) +
                   " and " + to_string(target.sizes()));
}

// `losses` times a weight that broadcasts against them, if there is one.
inline Tensor weighted(const char* call, const Tensor& losses, const Tensor& weight) {
  if (!weight.defined()) return losses;
  const Tensor product = losses * weight;
  if (product.sizes() == losses.sizes()) return product;
  throw ShapeError(std::string(call) + ": weight must broadcast against sizes " + to_string(losses.sizes()) + ", got " +
                   to_string(weight.sizes()));
}

inline Tensor reduced(const char* call, const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::None:
      return losses;
    case Reduction::Mean:
      return mean(losses);
    case Reduction::Sum:
      return sum(losses);
    case Reduction::BatchMean:
      break;
  }
  throw ValueError(std::string(call) + ": reduction must be None, Mean or Sum");
}

}  // namespace gradus::nn
