// What torch.cuda tells about GPUs, and about their memory.
//
//   cuda::reset_peak_memory_stats();
//   train();
//   std::cout << cuda::get_device_name() << ": " << cuda::max_memory_allocated() / (1 << 20) << " MiB\n";
//
// Every function takes any device, Device("emulated") too. What counts memory answers 0 where there is no such device,
// as in PyTorch; the others are then a ValueError, which says why there is none.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <gradus/core/device.h>
#include <gradus/core/memory.h>

namespace gradus::cuda {

struct DeviceProperties {
  std::string name;
  std::int64_t total_memory = 0;  // bytes
  int major = 0, minor = 0;       // the compute capability; 0.0 for a device that is not of CUDA
  std::int64_t multi_processor_count = 0;
};

DeviceProperties get_device_properties(Device device = kCUDA);
std::string get_device_name(Device device = kCUDA);
std::pair<int, int> get_device_capability(Device device = kCUDA);
// Whether there is a GPU, and it multiplies bfloat16 by itself: since compute capability 8.0.
bool is_bf16_supported();

// Waits until the device has finished all its work, and throws the error of work that failed.
void synchronize(Device device = kCUDA);

// Of this process. Tensors and the scratch memory of operations, now and at most; and what is held from the device, in
// use or kept for reuse.
MemoryStats memory_stats(Device device = kCUDA);
std::int64_t memory_allocated(Device device = kCUDA);
std::int64_t max_memory_allocated(Device device = kCUDA);
std::int64_t memory_reserved(Device device = kCUDA);
// max_memory_allocated begins anew, at memory_allocated.
void reset_peak_memory_stats(Device device = kCUDA);
// Returns what is kept for reuse to the device, for which it waits: of all GPUs, or of one device.
void empty_cache();
void empty_cache(Device device);
// Bytes that are free on the device, and all it has; for all processes together.
std::pair<std::int64_t, std::int64_t> mem_get_info(Device device = kCUDA);

}  // namespace gradus::cuda
