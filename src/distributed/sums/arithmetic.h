// Elements of buffers, two by two.
#pragma once

#include <gradus/core/dtype.h>
#include <gradus/distributed.h>

#include <cstddef>
#include <cstdint>

namespace gradus::distributed {

// into[i] = into[i] op from[i], n times; Avg adds. float32, float64 and the integer types; DtypeError.
void combine(ReduceOp op, Dtype dtype, std::byte* into, const std::byte* from, std::int64_t n);
void scale(Dtype dtype, std::byte* x, std::int64_t n, double factor);

}  // namespace gradus::distributed
