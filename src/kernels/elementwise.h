// Element by element: what the kernels of every device are given.
#pragma once

#include <gradus/core/dtype.h>
#include <gradus/core/shape.h>

#include <cstddef>
#include <span>

namespace gradus::kernel {

inline constexpr int kMaxOperands = 4;

struct Operand {
  void* data;
  Dtype dtype;
  Shape strides;  // in elements, one per dimension of the result; 0 where broadcast
};

// A formula's loop as each device has it. The CPU's is a pointer, made where the formula is used; a device that
// compiles the formula for itself finds its own by the name (dispatch/loop.h).
struct Loop {
  // out[i] = formula(in[0][i], in[1][i], ...), contiguous
  void (*cpu)(const void* formula, std::int64_t n, void* out, const void* const* in) = nullptr;
  const char* (*name)() = nullptr;
  std::size_t bytes = 0;  // of the formula, which is trivially copyable
};

struct Formula {
  Loop loop;
  const void* data;  // in the host's memory; read before the kernel's call returns
};

// One number of any type, by its bytes.
struct Element {
  alignas(8) std::byte bytes[8];
};

// The type that a tensor's elements have in loops: bool is stored as bytes that are 0 or 1.
template <class T>
struct Stored {
  using type = T;
};
template <>
struct Stored<bool> {
  using type = std::uint8_t;
};

}  // namespace gradus::kernel
