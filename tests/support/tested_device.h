/// The device that tests of devices compare with the CPU: the emulated one, or what the environment names
/// (scripts/gpu-check).
#pragma once

#include <gradus/core/device.h>

#include <cstdlib>

namespace gradus::test {

inline Device tested_device() {
  const char* given = std::getenv("GRADUS_TEST_DEVICE");
  return given != nullptr ? Device(given) : Device("emulated");
}

}  // namespace gradus::test
