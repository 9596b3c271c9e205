// Mixed precision, as torch.autocast: in the scope of an Autocast, convolutions, linear layers, recurrent layers,
// attention and matrix products take their operands in 16 bits (they multiply numbers of that type and add in float32),
// and losses take theirs in float32. All else works in the type that comes in, and float64 is left alone. Parameters
// stay float32, and so do their gradients and what optimizers keep.
//
//   {
//     const Autocast scope;
//     loss = nn::functional::cross_entropy(net(images), labels);
//   }
//   loss.backward();
//
// Which operations take part is the list of torch.autocast("cpu"), on every device. bfloat16 has the range of float32;
// float16 ends at 65504, and what is below 6e-8 becomes 0, so small gradients need an amp::GradScaler (gradus/amp.h).
// Unlike PyTorch's, a convolution rounds no gradient of a float32 weight to bfloat16.
#pragma once

#include <concepts>

#include <gradus/tensor.h>

namespace gradus {

// For this thread, until the end of the scope. Scopes nest; one with `enabled` false switches an outer one off.
class Autocast {
 public:
  // DtypeError unless the type is bfloat16 or float16.
  explicit Autocast(Dtype dtype = kBFloat16, bool enabled = true);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  Dtype dtype_before_;
  bool enabled_before_;
};

bool is_autocast_enabled();
Dtype get_autocast_dtype();  // of the innermost scope; bfloat16 outside of all

// How operations take part:
//
//   if (autocasts(a, b)) return mm(autocast(a), autocast(b));
Tensor autocast(const Tensor& x);       // to the scope's type, from another floating-point type but float64
Tensor autocast_loss(const Tensor& x);  // to float32, from float16 and bfloat16

// Whether one of the tensors would be converted.
template <std::same_as<Tensor>... T>
bool autocasts(const T&... xs) {
  const auto converts = [](const Tensor& x) {
    return x.defined() && is_floating_point(x.dtype()) && x.dtype() != kFloat64 && x.dtype() != get_autocast_dtype();
  };
  return is_autocast_enabled() && (converts(xs) || ...);
}
template <std::same_as<Tensor>... T>
bool autocasts_loss(const T&... xs) {
  return is_autocast_enabled() && ((xs.defined() && (xs.dtype() == kBFloat16 || xs.dtype() == kFloat16)) || ...);
}

}  // namespace gradus
