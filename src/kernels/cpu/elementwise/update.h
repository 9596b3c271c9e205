// The update of optimizers: one loop over all elements of all parameters, shared between threads.
#pragma once

#include <span>

#include "kernels/update.h"

namespace gradus::cpu {

using namespace kernel;

void update(std::span<const Piece> pieces, const Rules& rules);

}  // namespace gradus::cpu
