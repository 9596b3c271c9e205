// Where a tensor's memory lives, and its operations run. The CPU is built in; each other device is one more table of
// kernels. Device("emulated") is a device for tests: memory that the host cannot touch, and work that is done later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

enum class DeviceType : std::uint8_t { CPU, CUDA, Emulated };
inline constexpr int kDeviceTypes = 3;

struct Device {
  DeviceType type = DeviceType::CPU;
  std::int8_t index = 0;

  constexpr Device() = default;
  constexpr Device(DeviceType t, int i = 0) : type(t), index(static_cast<std::int8_t>(i)) {}
  // "cpu", "cuda", "cuda:1", "emulated". ValueError for anything else.
  Device(std::string_view text);
  Device(const char* text) : Device(std::string_view(text)) {}
  Device(const std::string& text) : Device(std::string_view(text)) {}

  friend bool operator==(const Device&, const Device&) = default;
};

inline constexpr Device kCPU{DeviceType::CPU, 0};
inline constexpr Device kCUDA{DeviceType::CUDA, 0};

// "cpu", "cuda:0", "emulated"
std::string to_string(Device device);

// Whether this build has kernels for the device and the machine has one.
bool is_available(Device device);

// Throws ValueError, naming `call` and saying why, where is_available(device) is false.
void require_available(const char* call, Device device);

// Waits until the device has done all it was asked for, and throws what went wrong there. Nothing to do for the CPU.
void synchronize(Device device);

// A kind of device, with what is there, or why nothing is.
struct DeviceKind {
  std::string name;  // "cpu", "cuda", "emulated"
  int count = 0;     // of devices
  std::string about;
};
std::vector<DeviceKind> device_kinds();

namespace cuda {
bool is_available();
int device_count();
}  // namespace cuda

}  // namespace gradus
