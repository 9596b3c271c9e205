// Loops over the tensors of an optimizer: what the kernels of every device are given.
#pragma once

#include <gradus/core/device.h>
#include <gradus/core/dtype.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace gradus::kernel {

// The elements of one tensor: float32 or float64.
struct Elements {
  void* data;
  std::int64_t n;
  Dtype dtype;
  Device device;
};

inline constexpr int kMaxState = 4;

// A parameter with what one update reads and writes, contiguous; p and g are of one type.
struct Piece {
  void* p;
  const void* g;
  std::array<void*, kMaxState> state;
  std::int64_t n;
  std::size_t rule;  // which of the prepared rules
};

// Prepared rules, one after the other in the host's memory, which is read before the kernel's call returns, and their
// loop as each device has it (kernel::Loop says how).
struct Rules {
  const void* data;
  std::size_t bytes, count;   // of each; how many
  std::size_t state_count;    // tensors of state
  std::int64_t element_size;  // of p and g
  // State comes in blocks of so many elements, of so many bytes each. The loop is given whole blocks, but for the end
  // of a tensor.
  std::int64_t block;
  std::array<std::int64_t, kMaxState> block_bytes;
  void (*cpu)(const void* rule, std::int64_t n, void* p, const void* g, void* const* state);
  const char* (*name)();
};

}  // namespace gradus::kernel
