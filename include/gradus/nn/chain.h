// Modules one after the other.
#pragma once

#include <span>

#include <gradus/nn/module.h>

namespace gradus::nn {

// Each module takes the result of the one before.
Tensor chain(const Tensor& x, std::span<Module* const> modules);

//   return nn::chain(x, conv1, bn1, relu);
template <std::derived_from<Module>... M>
Tensor chain(const Tensor& x, M&... modules) {
  Module* const list[] = {&modules...};
  return chain(x, std::span<Module* const>(list));
}

}  // namespace gradus::nn
