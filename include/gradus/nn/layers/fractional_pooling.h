// Fractional max pooling as modules; the functions are in gradus/ops/fractional_pooling.h.
#pragma once

#include <gradus/nn/module.h>
#include <gradus/ops/fractional_pooling.h>

namespace gradus::nn {

template <int N>
struct FractionalMaxPoolOptions {
  std::optional<Spatial<N>> output_size = {};
  PerDimension<double> output_ratio = {};
  Tensor random_samples = {};  // [N, C, dimensions]; PyTorch's _random_samples
};

// Draws the windows anew in each call, in evaluation too.
template <int N>
class FractionalMaxPool : public Module {
 public:
  FractionalMaxPool(const Spatial<N>& kernel_size, const FractionalMaxPoolOptions<N>& options);
  Tensor forward(const Tensor& x) override { return forward_with_indices(x).first; }
  std::pair<Tensor, Tensor> forward_with_indices(const Tensor& x);

 private:
  Spatial<N> kernel_size_;
  FractionalPoolArguments<N> arguments_;
};

using FractionalMaxPool2d = FractionalMaxPool<2>;
using FractionalMaxPool3d = FractionalMaxPool<3>;

}  // namespace gradus::nn
