// Where the elements of a mask are.
#pragma once

#include <cstdint>
#include <vector>

namespace gradus::cpu {

// The row-major positions of the ones among n bytes that are 0 or 1, ascending.
std::vector<std::int64_t> nonzero(const std::uint8_t* mask, std::int64_t n);

}  // namespace gradus::cpu
