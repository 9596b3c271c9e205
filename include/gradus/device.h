// Where a tensor's memory lives. CPU is built in; another backend is one more folder of kernels.
#pragma once

#include <cstdint>
#include <string>

namespace gradus {

enum class DeviceType : std::uint8_t { CPU, CUDA };

struct Device {
  DeviceType type = DeviceType::CPU;
  std::int8_t index = 0;

  friend bool operator==(const Device&, const Device&) = default;
};

inline constexpr Device kCPU{DeviceType::CPU, 0};
inline constexpr Device kCUDA{DeviceType::CUDA, 0};

// "cpu", "cuda:0"
std::string to_string(Device device);

// Whether this build has kernels for the device and the machine has one.
bool is_available(Device device);

// Throws ValueError, naming `call`, where is_available(device) is false.
void require_available(const char* call, Device device);

}  // namespace gradus
