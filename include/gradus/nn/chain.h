// Modules that run one after the other. Those of a chain can be computed together: a batch normalisation and the ReLU
// after it take one pass over memory, and where a convolution before them is frozen or in evaluation, all three do,
// with the normalisation folded into weights that are kept until one of them changes. A ReLU and the max pooling after
// it take one pass, too. The results are those of the separate modules, up to the rounding of a folded weight.
#pragma once

#include <span>

#include <gradus/nn/module.h>

namespace gradus::nn {

// Each module takes the result of the one before it; the result is that of the last one.
Tensor chain(const Tensor& x, std::span<Module* const> modules);

//   return nn::chain(x, conv1, bn1, relu);
template <std::convertible_to<Module&>... M>
Tensor chain(const Tensor& x, M&&... modules) {
  Module* const list[] = {&static_cast<Module&>(modules)...};
  return chain(x, std::span<Module* const>(list));
}

// A residual block: `shortcut` is added to what the last module takes.
Tensor residual_chain(const Tensor& x, const Tensor& shortcut, std::span<Module* const> modules);

//   return nn::residual_chain(x, downsample(x), conv1, bn1, relu, conv2, bn2, relu);
template <std::convertible_to<Module&>... M>
requires(sizeof...(M) > 0) Tensor residual_chain(const Tensor& x, const Tensor& shortcut, M&&... modules) {
  Module* const list[] = {&static_cast<Module&>(modules)...};
  return residual_chain(x, shortcut, std::span<Module* const>(list));
}

}  // namespace gradus::nn
