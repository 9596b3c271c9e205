#include "kernels/cuda/device.h"

#include <cxxabi.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "kernels/gpu/recording.h"

namespace gradus::cuda_library {

namespace {

constexpr int kMostDevices = 128;
constexpr std::size_t kSmall = std::size_t{1} << 20, kSmallStep = 512, kLargeStep = std::size_t{2} << 20;

thread_local int selected = 0;
thread_local const char* last_kernel = nullptr;

std::string name_of(const char* kernel) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(kernel, nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : kernel;
}

bool is_synchronous() {
  static const bool value = std::getenv("GRADUS_CUDA_SYNCHRONOUS") != nullptr;
  return value;
}

}  // namespace

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::string text = "cuda:" + std::to_string(selected) + ": " + what + ": " + cudaGetErrorString(error) + " (" +
                     cudaGetErrorName(error) + ")";
  if (last_kernel != nullptr) {
    text += is_synchronous() ? "; it was the kernel " + name_of(last_kernel)
                             : "; the last kernel that was started was " + name_of(last_kernel) +
                                   ", but an earlier one may have failed: GRADUS_CUDA_SYNCHRONOUS=1 waits for each";
  }
  if (error == cudaErrorIllegalAddress || error == cudaErrorLaunchFailure || error == cudaErrorECCUncorrectable) {
    text += "; the device is lost to this process; resume from the last checkpoint";
  }
  throw Error(text);
}

void note_launch(const char* kernel) {
  last_kernel = kernel;
  check(cudaGetLastError(), "a kernel could not be started");
  if (is_synchronous() && gpu::recording() == nullptr)
    check(cudaStreamSynchronize(current().stream), "a kernel failed");
}

int count_devices(std::string* why) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();  // or a later call would report it
    if (why != nullptr) {
      int driver = 0, runtime = 0;
      cudaDriverGetVersion(&driver);
      cudaRuntimeGetVersion(&runtime);
      const auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
      *why = std::string(cudaGetErrorString(error)) + " (built with CUDA " + version(runtime) +
             (driver == 0 ? ", no driver is loaded)" : ", the driver is for CUDA " + version(driver) + ")");
    }
    return 0;
  }
  if (count == 0 && why != nullptr) *why = "there is a driver, but no GPU";
  return std::min(count, kMostDevices);
}

std::size_t Memory::rounded(std::size_t bytes) {
  const std::size_t step = bytes <= kSmall ? kSmallStep : kLargeStep;
  return (bytes + step - 1) / step * step;
}

// The smallest kept block that holds `size`, unless most of it would lie idle.
void* Memory::find(std::size_t size) {
  const auto found = kept_.lower_bound(size);
  if (found == kept_.end() || found->first > std::max(2 * size, size + kLargeStep)) return nullptr;
  if (size <= kSmall && found->first > 2 * size) return nullptr;
  void* const p = found->second;
  kept_.erase(found);
  return p;
}

void Memory::free_kept() {
  cudaDeviceSynchronize();
  for (const auto& [size, p] : kept_) {
    cudaFree(p);
    sizes_.erase(p);
    stats_.reserved_bytes -= static_cast<std::int64_t>(size);
  }
  kept_.clear();
  cudaGetLastError();
}

void* Memory::allocate(int index, std::size_t bytes) {
  if (bytes == 0) return nullptr;
  const std::size_t size = rounded(bytes);
  const std::lock_guard lock(mutex_);
  void* p = find(size);
  if (p == nullptr) {
    cudaError_t error = cudaMalloc(&p, size);
    // Giving memory back waits for the device, which a recording must not.
    if (error == cudaErrorMemoryAllocation && gpu::recording() == nullptr) {
      cudaGetLastError();
      free_kept();
      error = cudaMalloc(&p, size);
    }
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      std::size_t left = 0, all = 0;
      cudaMemGetInfo(&left, &all);
      OutOfMemory failure(bytes, stats_.current_bytes, stats_.reserved_bytes);
      failure.add_held("on cuda:" + std::to_string(index) + ", of whose " + std::to_string(all) + " bytes " +
                       std::to_string(left) + " are free");
      throw failure;
    }
    check(error, "cudaMalloc");
    sizes_.emplace(p, size);
    stats_.reserved_bytes += static_cast<std::int64_t>(size);
  }
  stats_.current_bytes += static_cast<std::int64_t>(bytes);
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
  ++stats_.allocations;
  return p;
}

void Memory::deallocate(void* p, std::size_t bytes) noexcept {
  if (p == nullptr) return;
  const std::lock_guard lock(mutex_);
  stats_.current_bytes -= static_cast<std::int64_t>(bytes);
  if (const auto found = sizes_.find(p); found != sizes_.end()) kept_.emplace(found->second, p);
}

void Memory::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak_bytes = stats_.current_bytes;
}

void Memory::empty_cache() {
  const std::lock_guard lock(mutex_);
  free_kept();
}

MemoryStats Memory::stats() {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void* PinnedMemory::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  constexpr std::size_t kPage = 4096;
  const std::size_t size = (bytes + kPage - 1) / kPage * kPage;
  const std::lock_guard lock(mutex_);
  if (const auto found = kept_.lower_bound(size); found != kept_.end() && found->first <= 2 * size) {
    void* const p = found->second;
    kept_.erase(found);
    return p;
  }
  void* p = nullptr;
  const cudaError_t error = cudaHostAlloc(&p, size, cudaHostAllocPortable);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    OutOfMemory failure(bytes, 0, 0);
    failure.add_held("for pinned memory of the host");
    throw failure;
  }
  check(error, "cudaHostAlloc");
  sizes_.emplace(static_cast<const std::byte*>(p), size);
  return p;
}

void PinnedMemory::deallocate(void* p) noexcept {
  if (p == nullptr) return;
  const std::lock_guard lock(mutex_);
  if (const auto found = sizes_.find(static_cast<const std::byte*>(p)); found != sizes_.end())
    kept_.emplace(found->second, p);
}

bool PinnedMemory::contains(const void* p) {
  const auto* at = static_cast<const std::byte*>(p);
  const std::lock_guard lock(mutex_);
  auto after = sizes_.upper_bound(at);
  if (after == sizes_.begin()) return false;
  --after;
  return at < after->first + after->second;
}

PinnedMemory& pinned_memory() {
  static auto* const instance = new PinnedMemory;
  return *instance;
}

Gpu& current() {
  static auto* const all = new std::array<Gpu, kMostDevices>;
  static std::mutex mutex;
  Gpu& gpu = (*all)[static_cast<std::size_t>(selected)];
  const std::lock_guard lock(mutex);
  if (gpu.stream == nullptr) {
    gpu.index = selected;
    check(cudaSetDevice(selected), "cudaSetDevice");
    check(cudaStreamCreateWithFlags(&gpu.stream, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  return gpu;
}

void select(int index) {
  thread_local bool first = true;
  if (index == selected && !first) return;
  check(cudaSetDevice(index), "cudaSetDevice");
  selected = index;
  first = false;
}

}  // namespace gradus::cuda_library
