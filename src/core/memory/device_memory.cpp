#include <gradus/cuda.h>

#include "core/memory/backend.h"

namespace gradus::cuda {

namespace {

// ValueError, in the name of `call`, unless the device is there and is not the CPU.
core::Backend& backend_of(const char* call, Device device) {
  if (device.type == DeviceType::CPU) {
    throw ValueError(std::string(call) + ": needs a device other than the CPU, got cpu");
  }
  require_available(call, device);
  return *core::backend(device.type);
}

}  // namespace

DeviceProperties get_device_properties(Device device) {
  return backend_of("get_device_properties", device).properties(device.index);
}

std::string get_device_name(Device device) {
  return backend_of("get_device_name", device).properties(device.index).name;
}

std::pair<int, int> get_device_capability(Device device) {
  const DeviceProperties properties = backend_of("get_device_capability", device).properties(device.index);
  return {properties.major, properties.minor};
}

bool is_bf16_supported() { return is_available() && get_device_capability().first >= 8; }

void synchronize(Device device) { backend_of("synchronize", device).synchronize(device.index); }

MemoryStats memory_stats(Device device) {
  if (device.type == DeviceType::CPU) return gradus::memory_stats();
  return gradus::is_available(device) ? core::backend(device.type)->memory_stats(device.index) : MemoryStats();
}

std::int64_t memory_allocated(Device device) { return memory_stats(device).current_bytes; }
std::int64_t max_memory_allocated(Device device) { return memory_stats(device).peak_bytes; }
std::int64_t memory_reserved(Device device) { return memory_stats(device).reserved_bytes; }

void reset_peak_memory_stats(Device device) {
  if (device.type == DeviceType::CPU) {
    reset_peak_memory();
  } else if (gradus::is_available(device)) {
    core::backend(device.type)->reset_peak_memory(device.index);
  }
}

void empty_cache() {
  for (int i = 0; i < device_count(); ++i) empty_cache(Device(DeviceType::CUDA, i));
}

void empty_cache(Device device) {
  if (device.type == DeviceType::CPU) {
    gradus::empty_cache();
  } else if (gradus::is_available(device)) {
    core::backend(device.type)->empty_cache(device.index);
  }
}

std::pair<std::int64_t, std::int64_t> mem_get_info(Device device) {
  core::Backend& backend = backend_of("mem_get_info", device);
  return {backend.free_memory(device.index), backend.properties(device.index).total_memory};
}

}  // namespace gradus::cuda
