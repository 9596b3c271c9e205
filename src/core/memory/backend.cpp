#include "core/memory/backend.h"

#include <array>
#include <cstring>
#include <memory>

#include "core/recorded_step.h"

namespace gradus::core {

namespace {
constinit std::array<Backend*, kDeviceTypes> backends{};
}

Backend* backend(DeviceType type) { return backends[static_cast<std::size_t>(type)]; }

void register_backend(DeviceType type, Backend* backend) { backends[static_cast<std::size_t>(type)] = backend; }

void transfer(Device to_device, void* to, Device from_device, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  if (to_device == from_device) {
    if (to_device.type == DeviceType::CPU) {
      std::memcpy(to, from, bytes);
    } else {
      backend(to_device.type)->copy_within(to_device.index, to, from, bytes);
    }
  } else if (from_device.type == DeviceType::CPU) {
    note_host_copy(from, bytes);
    backend(to_device.type)->copy_to_device(to_device.index, to, from, bytes);
  } else if (to_device.type == DeviceType::CPU) {
    backend(from_device.type)->copy_to_host(from_device.index, to, from, bytes);
  } else {
    const auto between = std::make_unique_for_overwrite<std::byte[]>(bytes);
    backend(from_device.type)->copy_to_host(from_device.index, between.get(), from, bytes);
    backend(to_device.type)->copy_to_device(to_device.index, to, between.get(), bytes);
  }
}

}  // namespace gradus::core
