// Where a tensor's memory is, and where its operations run. The CPU is built in; every other device adds a table of
// kernels. Device("emulated") is a device for tests: its memory cannot be touched by the host, and its work is done
// later.
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

// Waits until the device has finished all its work, and throws the error of work that failed. Does nothing for the CPU.
void synchronize(Device device);

// A kind of device: how many there are, and what they are or why there is none.
struct DeviceKind {
  std::string name;  // "cpu", "cuda", "emulated"
  int count = 0;     // the number of devices
  std::string about;
};
std::vector<DeviceKind> device_kinds();

namespace cuda {
bool is_available();
int device_count();
}  // namespace cuda

}  // namespace gradus
