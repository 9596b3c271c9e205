// Printing optimizers as PyTorch does: `std::cout << optimizer`.
#pragma once

#include <ostream>

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

inline std::ostream& operator<<(std::ostream& out, const Optimizer& optimizer) { return out << optimizer.to_string(); }

}  // namespace gradus::optim
