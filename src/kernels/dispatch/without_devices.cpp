// What stands in for devices.cpp, and for all that it includes, in a build without GRADUS_DEVICES.
#include <gradus/core/error.h>

#include "kernels/dispatch/kernels.h"

namespace gradus {

const Kernels& kernels_beside_cpu(Device device) {
  throw ValueError("kernels: this build of Gradus computes on the CPU alone, and the operation is on " +
                   to_string(device) + " (GRADUS_DEVICES is off)");
}

}  // namespace gradus
