/// Where the rows of the table of operations put tensors of their own: indices, masks, weights.
#pragma once

#include <gradus/core/device.h>

namespace gradus::test {

inline Device& test_device() {
  static Device device;
  return device;
}

class OnDevice {
 public:
  explicit OnDevice(Device device) { test_device() = device; }
  ~OnDevice() { test_device() = Device(); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
};

}  // namespace gradus::test
