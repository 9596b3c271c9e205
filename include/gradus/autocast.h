// Mixed precision, as torch.autocast("cpu", dtype=torch.bfloat16): in the scope of an Autocast, convolutions, linear
// layers and matrix products take their float32 operands in bfloat16 (they multiply in bfloat16 and add in float32),
// and losses take theirs in float32. All else works in the type that comes in. Parameters stay float32, and so do
// their gradients and what optimizers keep.
//
//   {
//     const Autocast scope;
//     loss = nn::functional::cross_entropy(net(images), labels);
//   }
//   loss.backward();
//
// Unlike PyTorch's, a convolution rounds no gradient of a float32 weight to bfloat16.
#pragma once

#include <concepts>

#include <gradus/tensor.h>

namespace gradus {

// For this thread, until the end of the scope. Scopes nest; one with `enabled` false switches an outer one off.
class Autocast {
 public:
  // DtypeError unless the type is bfloat16.
  explicit Autocast(Dtype dtype = kBFloat16, bool enabled = true);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool before_;
};

bool is_autocast_enabled();

// How operations take part. A product converts float32 operands, a loss bfloat16 ones; without autocast nothing does:
//
//   if (autocasts(kFloat32, a, b)) return mm(autocast(a), autocast(b));
Tensor autocast(const Tensor& x);       // to bfloat16, from float32
Tensor autocast_loss(const Tensor& x);  // to float32, from bfloat16
template <std::same_as<Tensor>... T>
bool autocasts(Dtype from, const T&... xs) {
  return is_autocast_enabled() && ((xs.defined() && xs.dtype() == from) || ...);
}

}  // namespace gradus
