// The devices beside the CPU.
#include <gradus/core/error.h>

#include <string>

#include "core/memory/backend.h"
#include "core/portable.h"
#include "kernels/dispatch/cuda.h"
#include "kernels/dispatch/kernels.h"
#include "kernels/emulated/device.h"

namespace gradus {

namespace {

// Before main(): core knows no kernels, and so not who provides a device's memory.
[[maybe_unused]] const bool registered = [] {
  core::register_backend(DeviceType::Emulated, &emulated::backend());
  core::register_backend(DeviceType::CUDA, &cuda_library::backend());
  return true;
}();

}  // namespace

const Kernels& kernels_beside_cpu(Device device) {
  if (core::is_portable()) {
    throw ValueError("portable: only the CPU computes the same bits everywhere, and the operation is on " +
                     to_string(device));
  }
  if (device.type == DeviceType::Emulated) return emulated::kernels();
  if (device.type == DeviceType::CUDA) return cuda_library::kernels(device.index);
  throw ValueError("kernels: this build has none for " + to_string(device));
}

}  // namespace gradus
