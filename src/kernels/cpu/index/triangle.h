// The lower or upper triangle of matrices.
#pragma once

#include <cstdint>

namespace gradus::cpu {

// Copies contiguous [count, rows, columns] elements of `width` bytes, writing zeros where column - row > diagonal
// (lower) or column - row < diagonal (upper).
void triangle(const void* x, void* y, std::int64_t count, std::int64_t rows, std::int64_t columns, std::int64_t width,
              std::int64_t diagonal, bool lower);

}  // namespace gradus::cpu
