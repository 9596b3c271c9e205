// The GPUs of this machine: their streams and memory, and how errors of the runtime become errors of Gradus.
#pragma once

#include <cuda_runtime_api.h>
#include <gradus/core/memory.h>

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

namespace gradus::cuda_library {

// Throws an Error that says what failed, and for what a GPU reports late, what was asked for last.
void check(cudaError_t error, const char* what);
// Of a kernel that was just asked for.
void note_launch(const char* kernel);

// How many there are; `why` says why none is.
int count_devices(std::string* why = nullptr);

// Blocks that are given back are kept: the stream does what was asked for before sooner than what will be asked for the
// block's next owner.
class Memory {
 public:
  void* allocate(int index, std::size_t bytes);
  void deallocate(void* p, std::size_t bytes) noexcept;
  MemoryStats stats();
  void reset_peak();
  void empty_cache();

 private:
  void* find(std::size_t size);
  void free_kept();
  static std::size_t rounded(std::size_t bytes);

  std::mutex mutex_;
  std::multimap<std::size_t, void*> kept_;
  std::unordered_map<void*, std::size_t> sizes_;  // of all blocks
  MemoryStats stats_;
};

// Memory of the host that all GPUs read by themselves. Blocks that are given back are kept: no call of CUDA is needed
// for that, so that what a stream calls at the end of a copy may do it.
class PinnedMemory {
 public:
  void* allocate(std::size_t bytes);
  void deallocate(void* p) noexcept;
  bool contains(const void* p);

 private:
  std::mutex mutex_;
  std::multimap<std::size_t, void*> kept_;
  std::map<const std::byte*, std::size_t> sizes_;  // of all blocks
};
PinnedMemory& pinned_memory();

struct Gpu {
  int index = 0;
  cudaStream_t stream = nullptr;
  Memory memory;
};

// The one that this thread works with, ready for use.
Gpu& current();
void select(int index);

}  // namespace gradus::cuda_library
