// Along one dimension of data seen as [outer, reduced, inner]: what the kernels of every device are given.
#pragma once

#include <gradus/core/dtype.h>

#include <cstdint>

namespace gradus::kernel {

struct Extent {
  std::int64_t outer, reduced, inner;
};

enum class Reduce { sum, sum_abs, sum_square, prod, max, min };

}  // namespace gradus::kernel
