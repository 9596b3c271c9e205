// Gradients as the loops over many tensors take them.
#pragma once

#include <gradus/optim/state/params.h>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"

namespace gradus::optim {

// ValueError, in the name of `call`, unless x is contiguous, and float32 or float64.
kernel::Elements elements_of(const std::string& call, const Tensor& x);

// Tensors with names for messages, and the parameters that they belong to, if any.
struct Gradients {
  std::vector<std::string> names;
  std::vector<Tensor> tensors, owners;     // a tensor that another process keeps is undefined here
  std::vector<int> ranks;                  // of the processes that keep them; -1: every one does
  std::vector<kernel::Elements> elements;  // of the tensors, on their devices

  // `call` is for the message of a DtypeError.
  void add(const std::string& call, const NamedTensor& tensor, const Tensor& owner = {});
  // Nothing where there is none, in no process. One that is not contiguous is first replaced by one that is.
  void add_gradient_of(const std::string& call, const NamedTensor& parameter);

  // Of each tensor, as Kernels::norm_powers. Where some are kept by single processes, all processes call it.
  std::vector<double> powers(double p) const;
  void scale(double factor) const;
  void clamp(double limit) const;
};

// Calls fn(kernels, part, place of its first) for the parts of `elements` that lie on one device.
template <class F>
void on_each_device(std::span<const kernel::Elements> elements, F&& fn) {
  for (std::size_t begin = 0, end = 0; begin < elements.size(); begin = end) {
    const Device device = elements[begin].device;
    while (end < elements.size() && elements[end].device == device) ++end;
    fn(kernels(device), elements.subspan(begin, end - begin), begin);
  }
}

void check_norm_type(const std::string& call, double p);
// Of all tensors, from what `powers` returns.
double norm_of(std::span<const double> powers, double p);
// The factor that gradients are multiplied by: at most 1, and NaN where the norm is NaN.
double clip_factor(double max_norm, double norm);
// The first that is not finite; powers.size() where all are.
std::size_t first_nonfinite(std::span<const double> powers);

}  // namespace gradus::optim
