#include <gradus/device.h>
#include <gradus/error.h>

namespace gradus {

std::string to_string(Device device) {
  return device.type == DeviceType::CPU ? "cpu" : "cuda:" + std::to_string(device.index);
}

bool is_available(Device device) { return device.type == DeviceType::CPU; }

void require_available(const char* call, Device device) {
  if (is_available(device)) return;
  throw ValueError(std::string(call) + ": this build has kernels for cpu only, got " + to_string(device));
}

}  // namespace gradus
