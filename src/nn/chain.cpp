#include <gradus/nn/chain.h>

namespace gradus::nn {

Tensor chain(const Tensor& x, std::span<Module* const> modules) {
  Tensor y = x;
  for (Module* module : modules) y = (*module)(y);
  return y;
}

}  // namespace gradus::nn
