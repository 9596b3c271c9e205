// Sorting rows of numbers.
#pragma once

#include <gradus/core/dtype.h>

namespace gradus::cpu {

// For each of `rows` contiguous rows of n numbers, the positions of its first k in sorted order. Equal numbers keep
// their order; NaN counts as the greatest. 0 <= k <= n.
void sort_rows(Dtype dtype, const void* x, std::int64_t rows, std::int64_t n, std::int64_t k, bool descending,
               std::int64_t* positions);

}  // namespace gradus::cpu
