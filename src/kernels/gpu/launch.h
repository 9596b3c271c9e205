// How kernels of GPUs are written here: plain C++, which nvcc compiles for a GPU, and the library's own compiler for
// the emulated device. A kernel is a trivially copyable struct, called for each of a number of elements, or blocks:
//
//   template <class T>
//   struct Scale {
//     Global<T> x;
//     T factor;
//     GRADUS_DEVICE void operator()(std::int64_t i) const { x[i] *= factor; }
//   };
//   launch(n, Scale<T>{x, factor});
//
// A kernel of blocks is given a Block, whose members all its threads call together. Nothing but the calls below and
// what runtime.h declares knows which device it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/gpu/runtime.h"

#if defined(__CUDACC__)
#define GRADUS_DEVICE __device__ __forceinline__
#else
#define GRADUS_DEVICE inline
#endif

namespace gradus::gpu {

inline constexpr int kMaxThreads = 256;  // of a block

// Memory of the device, as kernels see it.
template <class T>
class Global {
 public:
  Global() = default;
  Global(T* p) : p_(p) { check_memory(p); }

#if defined(__CUDACC__)
  GRADUS_DEVICE T& operator[](std::int64_t i) const { return p_[i]; }
#else
  T& operator[](std::int64_t i) const {
    using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
    return reinterpret_cast<T*>(reinterpret_cast<Byte*>(p_) + memory_offset)[i];
  }
#endif
  GRADUS_DEVICE explicit operator bool() const { return p_ != nullptr; }

 private:
  T* p_ = nullptr;
};

template <class T>
Global<const T> input(const void* p) {
  return static_cast<const T*>(p);
}
template <class T>
Global<T> output(void* p) {
  return static_cast<T*>(p);
}

#if defined(__CUDACC__)

// The threads of one block, all of which make the same calls.
class Block {
 public:
  GRADUS_DEVICE std::int64_t index() const { return blockIdx.x; }
  GRADUS_DEVICE int threads() const { return static_cast<int>(blockDim.x); }
  // fn(number of the thread); then all wait for each other.
  template <class F>
  GRADUS_DEVICE void phase(const F& fn) const {
    fn(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
  // fn(i) for all i < n, shared between the threads, which then wait for each other.
  template <class F>
  GRADUS_DEVICE void each(std::int64_t n, const F& fn) const {
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) fn(i);
    __syncthreads();
  }
  // R over at(0) ... at(n - 1), in an order that depends on n and the number of threads alone. All threads have it.
  template <class R, class T, class F>
  GRADUS_DEVICE T reduce(std::int64_t n, const F& at) const {
    __shared__ T parts[kMaxThreads];
    const int t = static_cast<int>(threadIdx.x);
    T own = R::identity();
    for (std::int64_t i = t; i < n; i += blockDim.x) own = R::combine(own, at(i));
    parts[t] = own;
    __syncthreads();
    for (int width = static_cast<int>(blockDim.x) / 2; width > 0; width /= 2) {
      if (t < width) parts[t] = R::combine(parts[t], parts[t + width]);
      __syncthreads();
    }
    const T all = parts[0];
    __syncthreads();
    return all;
  }
};

// What each thread of a block keeps from phase to phase.
template <class T>
class PerThread {
 public:
  GRADUS_DEVICE T& operator[](int) { return own_; }

 private:
  T own_;
};

#define GRADUS_SHARED(type, name) __shared__ type name

template <class K>
__global__ void __launch_bounds__(kMaxThreads) run_each(std::int64_t n, const K kernel) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) kernel(i);
}
template <class K>
__global__ void __launch_bounds__(kMaxThreads) run_blocks(const K kernel) {
  kernel(Block());
}

template <class K>
void launch(std::int64_t n, const K& kernel) {
  static_assert(std::is_trivially_copyable_v<K>);
  if (n <= 0) return;
  constexpr std::int64_t kMost = 1 << 20;
  const std::int64_t blocks = (n + kMaxThreads - 1) / kMaxThreads;
  run_each<<<static_cast<unsigned>(blocks < kMost ? blocks : kMost), kMaxThreads, 0, stream()>>>(n, kernel);
  check_launch(typeid(K).name());
}
template <class K>
void launch_blocks(std::int64_t blocks, int threads, const K& kernel) {
  static_assert(std::is_trivially_copyable_v<K>);
  if (blocks <= 0) return;
  check_blocks(blocks);
  run_blocks<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0, stream()>>>(kernel);
  check_launch(typeid(K).name());
}

#else

// The same one thread after the other, in the same order of sums.
class Block {
 public:
  Block(std::int64_t index, int threads) : index_(index), threads_(threads) {}
  std::int64_t index() const { return index_; }
  int threads() const { return threads_; }
  template <class F>
  void phase(const F& fn) const {
    for (int t = threads_ - 1; t >= 0; --t) fn(t);
  }
  template <class F>
  void each(std::int64_t n, const F& fn) const {
    for (std::int64_t i = n - 1; i >= 0; --i) fn(i);
  }
  template <class R, class T, class F>
  T reduce(std::int64_t n, const F& at) const {
    T parts[kMaxThreads];
    for (int t = 0; t < threads_; ++t) parts[t] = R::identity();
    int t = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      parts[t] = R::combine(parts[t], at(i));
      if (++t == threads_) t = 0;
    }
    for (int width = threads_ / 2; width > 0; width /= 2)
      for (t = 0; t < width; ++t) parts[t] = R::combine(parts[t], parts[t + width]);
    return parts[0];
  }

 private:
  std::int64_t index_;
  int threads_;
};

template <class T>
class PerThread {
 public:
  T& operator[](int thread) { return all_[thread]; }

 private:
  T all_[kMaxThreads];
};

#define GRADUS_SHARED(type, name) type name

template <class K>
void launch(std::int64_t n, const K& kernel) {
  static_assert(std::is_trivially_copyable_v<K>);
  if (n <= 0) return;
  submit([n, kernel] {
    for (std::int64_t i = 0; i < n; ++i) kernel(i);
  });
}
template <class K>
void launch_blocks(std::int64_t blocks, int threads, const K& kernel) {
  static_assert(std::is_trivially_copyable_v<K>);
  if (blocks <= 0) return;
  submit([blocks, threads, kernel] {
    for (std::int64_t b = 0; b < blocks; ++b) kernel(Block(b, threads));
  });
}

#endif

// For n elements that a block shares: a power of two.
inline int threads_for(std::int64_t n) {
  int threads = 32;
  while (threads < n && threads < kMaxThreads) threads *= 2;
  return threads;
}

}  // namespace gradus::gpu
