// Pinned memory: memory of the host that a device reads by itself, so that a copy to it need not be waited for.
//
//   data::DataLoader loader(dataset, {.batch_size = 64, .num_workers = 2, .pin_memory = true});
//   for (auto& [x, y] : loader) {
//     const Tensor images = to(x, "cuda", {.non_blocking = true}), labels = to(y, "cuda", {.non_blocking = true});
//     ...
#pragma once

#include <gradus/tensor.h>

namespace gradus {

// A copy of x, which is on the CPU, in memory that is pinned for devices of that kind; x itself where it is already. It
// lies row-major, and outside of every graph. ValueError where there is no such device, or x is not on the CPU.
Tensor pin_memory(const Tensor& x, Device device = kCUDA);
bool is_pinned(const Tensor& x);

struct ToOptions {
  // From pinned memory, return before the copy is done. It comes in the order of the device's other work, and x's
  // memory stays until then; who writes to it earlier changes what is copied. From other memory, and to the CPU, this
  // does nothing.
  bool non_blocking = false;
};
Tensor to(const Tensor& x, Device device, const ToOptions& options);

}  // namespace gradus
