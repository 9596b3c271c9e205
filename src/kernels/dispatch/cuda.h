// The library with the kernels for CUDA, which is loaded when somebody asks for its devices.
#pragma once

#include "core/memory/backend.h"
#include "kernels/dispatch/kernels.h"

namespace gradus::cuda_library {

// Always there; without the library it has no devices, and says why.
core::Backend& backend();
// For work on the device of this index, which is there.
const Kernels& kernels(int index);

}  // namespace gradus::cuda_library
