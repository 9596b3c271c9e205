// What follows a kernel on each element of its result, before that leaves the registers or the cache. Each kernel says
// which parts of it it takes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradus::kernel {

// A formula f for each element of a product of matrices, f(c + bias[j]), as each device has it (kernel::Loop says
// how). It lies in the host's memory and is read before the kernel's call returns. Null: the identity.
struct Activation {
  const void* formula = nullptr;
  std::size_t bytes = 0;
  void (*cpu32)(const void* formula, std::int64_t m, std::int64_t n, float* c, std::int64_t ldc,
                const float* bias) = nullptr;
  void (*cpu64)(const void* formula, std::int64_t m, std::int64_t n, double* c, std::int64_t ldc,
                const double* bias) = nullptr;
  const char* (*name)() = nullptr;
};

// y = relu(y + bias + residual), or f(y + bias) after a product.
struct Epilogue {
  const void* bias = nullptr;      // of each channel or column, in the type that the kernel computes in
  const void* residual = nullptr;  // laid out as y
  bool relu = false;               // a NaN may become 0 after a convolution
  Activation activation = {};
};

}  // namespace gradus::kernel
