// CUDA as a backend, and what the kernels ask of it.
#include <cuda_runtime_api.h>
#include <gradus/core/error.h>

#include <string>

#include "kernels/cuda/device.h"
#include "kernels/cuda/library.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/recording.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/table.h"

namespace gradus::gpu {

using namespace cuda_library;

cudaStream_t stream() {
  refuse_beside_recording();
  return current().stream;
}
void check_launch(const char* kernel) { note_launch(kernel); }
void check_blocks(std::int64_t blocks) {
  if (blocks > INT32_MAX) throw Error("cuda: a kernel would need " + std::to_string(blocks) + " blocks of threads");
}

void* allocate_block(std::size_t bytes) {
  Gpu& gpu = current();
  return gpu.memory.allocate(gpu.index, bytes);
}
void release_block(void* p, std::size_t bytes) noexcept {
  if (p != nullptr) current().memory.deallocate(p, bytes);
}
void* allocate(std::size_t bytes) {
  void* const p = allocate_recorded(bytes);
  return p != nullptr ? p : allocate_block(bytes);
}
void release(void* p, std::size_t bytes) noexcept {
  if (!release_recorded(p, bytes)) release_block(p, bytes);
}

// From memory that is not pinned, the runtime has taken what it copies when the call returns.
void copy_from_host(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  const void* const recorded = recorded_copy(from, bytes);
  check(cudaMemcpyAsync(to, recorded != nullptr ? recorded : from, bytes,
                        recorded != nullptr ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice, stream()),
        "a copy to the device");
}
void read_finished(void* to, const void* from, std::size_t bytes) {
  refuse_recording("a copy to the host");
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()), "a copy from the device");
  check(cudaStreamSynchronize(stream()), "waiting for the device");
}
void copy_to_host(void* to, const void* from, std::size_t bytes) {
  read_finished(to, from, bytes);
  throw_bad_index();
}
void clear(void* p, std::size_t bytes) {
  note_use(p);
  if (bytes > 0) check(cudaMemsetAsync(p, 0, bytes, stream()), "setting memory to zero");
}
int current_device() { return current().index; }
void select_device(int index) { select(index); }

// What this thread calls may make memory meanwhile, which the strict modes refuse.
void begin_capture() {
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
}
std::shared_ptr<void> end_capture() {
  cudaGraph_t made = nullptr;
  check(cudaStreamEndCapture(stream(), &made), "cudaStreamEndCapture");
  const std::unique_ptr<CUgraph_st, cudaError_t (*)(cudaGraph_t)> graph(made, cudaGraphDestroy);
  cudaGraphExec_t step = nullptr;
  check(cudaGraphInstantiate(&step, graph.get(), 0), "cudaGraphInstantiate");
  return {step, [](cudaGraphExec_t p) { cudaGraphExecDestroy(p); }};
}
void abandon_capture() noexcept {
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(current().stream, &graph);
  if (graph != nullptr) cudaGraphDestroy(graph);
  cudaGetLastError();  // or a later call would report it
}
void launch_captured(const std::shared_ptr<void>& step) {
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(step.get()), stream()), "cudaGraphLaunch");
}

}  // namespace gradus::gpu

namespace gradus::cuda_library {

namespace {

class Backend final : public core::Backend {
 public:
  int device_count() override { return count_devices(); }
  std::string describe(int index) override {
    std::string why;
    if (count_devices(&why) == 0) return why;
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
    return std::string(properties.name) + ", " + std::to_string(properties.totalGlobalMem >> 30) +
           " GiB, compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor) +
           ", driver for CUDA " + version(driver) + ", built with CUDA " + version(runtime);
  }
  void* allocate(int index, std::size_t bytes) override {
    select(index);
    return gpu::allocate(bytes);
  }
  void deallocate(int index, void* p, std::size_t bytes) noexcept override {
    try {
      select(index);
      gpu::release(p, bytes);
    } catch (const Error&) {
      // The device is lost, and its memory with it.
    }
  }
  MemoryStats memory_stats(int index) override {
    select(index);
    return current().memory.stats();
  }
  void reset_peak_memory(int index) override {
    select(index);
    current().memory.reset_peak();
  }
  void empty_cache(int index) override {
    select(index);
    gpu::refuse_recording("empty_cache");
    current().memory.empty_cache();
  }
  std::int64_t free_memory(int index) override {
    select(index);
    std::size_t left = 0, all = 0;
    check(cudaMemGetInfo(&left, &all), "cudaMemGetInfo");
    return static_cast<std::int64_t>(left);
  }
  cuda::DeviceProperties properties(int index) override {
    cudaDeviceProp own;
    check(cudaGetDeviceProperties(&own, index), "cudaGetDeviceProperties");
    return {.name = own.name,
            .total_memory = static_cast<std::int64_t>(own.totalGlobalMem),
            .major = own.major,
            .minor = own.minor,
            .multi_processor_count = own.multiProcessorCount};
  }
  void copy_to_device(int index, void* to, const void* from, std::size_t bytes) override {
    select(index);
    gpu::copy_from_host(to, from, bytes);
    // The runtime reads pinned memory later.
    if (gpu::recording() == nullptr && pinned_memory().contains(from))
      check(cudaStreamSynchronize(gpu::stream()), "waiting for the device");
  }
  void copy_to_host(int index, void* to, const void* from, std::size_t bytes) override {
    select(index);
    gpu::copy_to_host(to, from, bytes);
  }
  void copy_within(int index, void* to, const void* from, std::size_t bytes) override {
    select(index);
    gpu::note_use(to);
    gpu::note_use(from);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, gpu::stream()), "a copy on the device");
  }
  void* allocate_pinned(std::size_t bytes) override { return pinned_memory().allocate(bytes); }
  void deallocate_pinned(void* p, std::size_t) noexcept override { pinned_memory().deallocate(p); }
  void copy_from_pinned(int index, void* to, const void* from, std::size_t bytes,
                        std::shared_ptr<const void> keep) override {
    select(index);
    gpu::refuse_recording("a copy from pinned memory");
    gpu::copy_from_host(to, from, bytes);
    auto held = std::make_unique<std::shared_ptr<const void>>(std::move(keep));
    const auto let_go = [](void* p) { delete static_cast<std::shared_ptr<const void>*>(p); };
    check(cudaLaunchHostFunc(gpu::stream(), let_go, held.get()), "cudaLaunchHostFunc");
    held.release();
  }
  void synchronize(int index) override {
    select(index);
    gpu::refuse_recording("synchronize");
    check(cudaStreamSynchronize(gpu::stream()), "waiting for the device");
    gpu::throw_bad_index();
  }
  std::unique_ptr<core::Recorded> record(int index, std::uint64_t seed, const std::function<void()>& step) override {
    select(index);
    return gpu::record(seed, step);
  }
};

}  // namespace

}  // namespace gradus::cuda_library

extern "C" __attribute__((visibility("default"))) const gradus::cuda_library::Library* gradus_cuda_library(
    const gradus::cuda_library::Version& version) {
  using namespace gradus::cuda_library;
  static auto* const backend = new Backend;
  static const Library library{&gradus::gpu::table, backend, select};
  return version == Version() ? &library : nullptr;
}
