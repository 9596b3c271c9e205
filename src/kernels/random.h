// Random numbers: what the kernels of every device are given. Element i of a fill depends on (seed, offset, i) alone.
#pragma once

#include <cstdint>

namespace gradus::kernel {

struct RandomRange {
  std::uint64_t seed;
  std::uint64_t offset;  // in Philox blocks of 128 bits
};

// For n elements of `bits` random bits each, in whole groups of 16 blocks.
constexpr std::uint64_t random_blocks(std::int64_t n, std::int64_t bits) {
  return n <= 0 ? 0 : static_cast<std::uint64_t>((n - 1) / (16 * 128 / bits) + 1) * 16;
}

// The blocks that a fill of n elements uses up; the next draw starts after them.
constexpr std::uint64_t uniform_blocks(std::int64_t n, std::int64_t element_size) {
  return random_blocks(n, 8 * element_size);
}
constexpr std::uint64_t normal_blocks(std::int64_t n, std::int64_t element_size) {
  return random_blocks(n, 8 * element_size);
}
constexpr std::uint64_t integer_blocks(std::int64_t n) { return random_blocks(n, 64); }

}  // namespace gradus::kernel
