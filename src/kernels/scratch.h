// Uninitialised memory for the length of a scope, from the library's allocator.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/memory/allocator.h"

namespace gradus::kernel {

template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(T)), data_(static_cast<T*>(core::allocate(bytes_))) {}
  ~Scratch() { core::deallocate(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }
  T& operator[](std::int64_t i) const { return data_[i]; }

 private:
  std::size_t bytes_;
  T* data_;
};

}  // namespace gradus::kernel
