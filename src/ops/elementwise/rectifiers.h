// The formulas of relu and leaky_relu, which also run as the end of a linear layer.
#pragma once

#include "kernels/formulas/rectifiers.h"
#include "ops/elementwise/elementwise.h"

namespace gradus::ops {}  // namespace gradus::ops
