// What the kernels of GPUs ask of a device: memory, copies, an order of work, and matrix products if it has a library
// for them. emulated/ and cuda/ have one implementation each; each is linked with its own copy of these kernels.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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
void select_device(int index);

// For recordings (recording.h): memory that no recording keeps, and the work that this thread asks for between
// begin_capture() and one of the two after it, which is not done, but kept to be done as a whole.
void* allocate_block(std::size_t bytes);
void release_block(void* p, std::size_t bytes) noexcept;
void begin_capture();
std::shared_ptr<void> end_capture();
void abandon_capture() noexcept;
void launch_captured(const std::shared_ptr<void>& step);

// How many threads record.
extern std::atomic<int> recording_threads;
inline bool is_any_recording() { return recording_threads.load(std::memory_order_relaxed) != 0; }
// While this thread records, a copy of what `from` points to, which the recording keeps. Null otherwise.
const void* recorded_copy(const void* from, std::size_t bytes);
// Of memory that a kernel is given.
void note_recorded_use(const void* p);
inline void note_use(const void* p) {
  if (is_any_recording()) note_recorded_use(p);
}

// Products of matrices by the device's library. False where there is none, or none for these.
bool library_gemm(const kernel::Product& product, const kernel::Batch& batch);
bool library_gemm_bfloat16(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const void* a,
                           std::int64_t lda, const void* b, std::int64_t ldb, bool float32_result, void* c,
                           std::int64_t ldc);

#if defined(__CUDACC__)
cudaStream_t stream();
void check_launch(const char* kernel);
void check_blocks(std::int64_t blocks);
inline void check_memory(const void* p) { note_use(p); }
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
  Table(const T* values, std::int64_t count)
      : recorded_(static_cast<const T*>(recorded_copy(values, static_cast<std::size_t>(count) * sizeof(T)))),
        device_(recorded_ != nullptr ? 0 : count) {
    if (recorded_ == nullptr) copy_from_host(device_.get(), values, static_cast<std::size_t>(count) * sizeof(T));
  }
  const T* get() const { return recorded_ != nullptr ? recorded_ : device_.get(); }

 private:
  const T* recorded_;
  Scratch<T> device_;
};

}  // namespace gradus::gpu
