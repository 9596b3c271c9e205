#include <gradus/core/device.h>
#include <gradus/core/error.h>

#include <array>
#include <charconv>

#include "core/memory/backend.h"
#include "core/recorded_step.h"
#include "core/threads/cpu_count.h"

namespace gradus {

namespace {

constexpr std::array<std::string_view, kDeviceTypes> kNames{"cpu", "cuda", "emulated"};

std::string_view name_of(DeviceType type) { return kNames[static_cast<std::size_t>(type)]; }

int count_of(DeviceType type) {
  if (type == DeviceType::CPU) return 1;
  core::Backend* backend = core::backend(type);
  return backend == nullptr ? 0 : backend->device_count();
}

std::string why_not(DeviceType type) {
  if (core::Backend* backend = core::backend(type); backend != nullptr) return backend->describe(0);
  return type == DeviceType::CUDA ? "this version of Gradus has no kernels for CUDA"
                                  : "this build has no kernels for it";
}

}  // namespace

Device::Device(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  std::size_t found = 0;
  while (found < kNames.size() && kNames[found] != kind) ++found;
  bool valid = found < kNames.size();
  if (valid && colon != std::string_view::npos) {
    const std::string_view number = text.substr(colon + 1);
    int value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    valid = error == std::errc() && end == number.data() + number.size() && value >= 0 && value <= 127;
    index = static_cast<std::int8_t>(value);
  }
  if (!valid) {
    throw ValueError("Device: must be cpu, cuda, cuda:INDEX or emulated, got '" + std::string(text) + "'");
  }
  type = static_cast<DeviceType>(found);
}

std::string to_string(Device device) {
  std::string text(name_of(device.type));
  if (device.type == DeviceType::CUDA || device.index != 0) text.append(":").append(std::to_string(device.index));
  return text;
}

bool is_available(Device device) { return device.index >= 0 && device.index < count_of(device.type); }

void require_available(const char* call, Device device) {
  if (is_available(device)) return;
  const int count = count_of(device.type);
  throw ValueError(std::string(call) + ": there is no device " + to_string(device) + ": " +
                   (count == 0 ? why_not(device.type) : "indices go from 0 to " + std::to_string(count - 1)));
}

void synchronize(Device device) {
  if (device.type == DeviceType::CPU) return;
  require_available("synchronize", device);
  core::refuse_recording("synchronize", core::kWaits);
  core::backend(device.type)->synchronize(device.index);
}

std::vector<DeviceKind> device_kinds() {
  std::vector<DeviceKind> kinds;
  for (int i = 0; i < kDeviceTypes; ++i) {
    const auto type = static_cast<DeviceType>(i);
    const std::string about =
        type == DeviceType::CPU ? std::to_string(core::cpu_count()) + " processors" : why_not(type);
    kinds.push_back({std::string(name_of(type)), count_of(type), about});
  }
  return kinds;
}

bool cuda::is_available() { return device_count() > 0; }
int cuda::device_count() { return count_of(DeviceType::CUDA); }

}  // namespace gradus
