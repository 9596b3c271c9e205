// The kernels of GPUs as one device's table.
#pragma once

#include "kernels/dispatch/kernels.h"

namespace gradus::gpu {

extern const Kernels table;

}  // namespace gradus::gpu
