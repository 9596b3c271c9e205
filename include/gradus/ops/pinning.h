// Pinned memory: memory of the host that a device reads by itself, so that a copy to it need not be waited for.
//
//   data::DataLoader loader(dataset, {.batch_size = 64, .num_workers = 2, .pin_memory = true});
//   for (auto& [x, y] : loader) {
//     const Tensor images = x.to("cuda", {.non_blocking = true}), labels = y.to("cuda", {.non_blocking = true});
//     ...
#pragma once

#include <gradus/tensor.h>

namespace gradus {

// A copy of x, which is on the CPU, in memory that is pinned for devices of that kind; x itself where it is already. It
// lies row-major, and outside of every graph. ValueError where there is no such device, or x is not on the CPU.
Tensor pin_memory(const Tensor& x, Device device = kCUDA);
bool is_pinned(const Tensor& x);
// x.to(device) that need not be waited for: gradus/core/tensor_options.h.
Tensor to(const Tensor& x, Device device, const ToOptions& options);

}  // namespace gradus
