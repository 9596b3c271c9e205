// What the kernels of GPUs ask of a device: memory, copies, an order of work, and matrix products if it has a library
// for them. emulated/ and cuda/ have one implementation each; each is linked with its own copy of these kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/product.h"

#if defined(__CUDACC__)
#include <cuda_runtime_api.h>

#include <typeinfo>
#endif

namespace gradus::gpu {

// Memory for the length of some kernels: what was asked for before it is given back may still use it.
void* allocate(std::size_t bytes);
void release(void* p, std::size_t bytes) noexcept;

// `from` has been read, or `to` written, when these return; the second one waits for all that was asked for before.
void copy_from_host(void* to, const void* from, std::size_t bytes);
void copy_to_host(void* to, const void* from, std::size_t bytes);
void clear(void* p, std::size_t bytes);
// As copy_to_host, once the device is known to have finished what was asked for.
void read_finished(void* to, const void* from, std::size_t bytes);
int current_device();  // its index among its kind

// Products of matrices by the device's library. False where there is none, or none for these.
bool library_gemm(const kernel::Product& product, const kernel::Batch& batch);
bool library_gemm_bfloat16(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const void* a,
                           std::int64_t lda, const void* b, std::int64_t ldb, bool float32_result, void* c,
                           std::int64_t ldc);

#if defined(__CUDACC__)
cudaStream_t stream();
void check_launch(const char* kernel);
void check_blocks(std::int64_t blocks);
inline void check_memory(const void*) {}
#else
// From the address that tensors hold to the one that kernels work with.
extern std::ptrdiff_t memory_offset;
void check_memory(const void* p);  // an Error for memory that is not the device's
void submit(std::function<void()> kernel);
#endif

// An array of the device's, for the length of a scope.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(T)), data_(static_cast<T*>(allocate(bytes_))) {}
  ~Scratch() { release(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

// A table of the host's, copied to the device.
template <class T>
class Table {
 public:
  explicit Table(const std::vector<T>& values) : Table(values.data(), static_cast<std::int64_t>(values.size())) {}
  Table(const T* values, std::int64_t count) : device_(count) {
    copy_from_host(device_.get(), values, static_cast<std::size_t>(count) * sizeof(T));
  }
  const T* get() const { return device_.get(); }

 private:
  Scratch<T> device_;
};

}  // namespace gradus::gpu
