// What a device beside the CPU does for tensors: memory, copies, waiting. Its kernels are in
// kernels/dispatch/kernels.h.
#pragma once

#include <gradus/core/device.h>
#include <gradus/core/memory.h>
#include <gradus/cuda.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace gradus::core {

// What a device was asked for by a step, to be asked for again as a whole (docs/devices.md, "Recorded steps").
class Recorded {
 public:
  virtual ~Recorded() = default;  // gives the step's memory back; what is still in use follows later

  // From now until launch() or cancel(), updates of optimizers that this thread asks for are not done: their numbers
  // are kept, for the updates that were recorded.
  virtual void prepare() = 0;
  virtual void cancel() noexcept = 0;
  // Asks for the step, whose random numbers are those of `seed` from `offset` on. False, and nothing is asked for,
  // where the updates of prepare() were not the recorded ones, or memory that the step uses was given back.
  virtual bool launch(std::uint64_t seed, std::uint64_t offset) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual int device_count() = 0;
  // Why device_count() is 0; what there is where it is not: "NVIDIA H200, 139 GiB, driver 550.54".
  virtual std::string describe(int index) = 0;

  // As core::allocate and deallocate. Kernels that were called before may still use what is given back.
  virtual void* allocate(int index, std::size_t bytes) = 0;
  virtual void deallocate(int index, void* p, std::size_t bytes) noexcept = 0;
  virtual MemoryStats memory_stats(int index) = 0;
  virtual void reset_peak_memory(int index) = 0;
  virtual void empty_cache(int index) = 0;
  virtual std::int64_t free_memory(int index) = 0;  // of the device, for all processes
  virtual cuda::DeviceProperties properties(int index) = 0;

  // Copies come in the order of the calls of kernels. `from` has been read, or `to` written, when they return.
  virtual void copy_to_device(int index, void* to, const void* from, std::size_t bytes) = 0;
  virtual void copy_to_host(int index, void* to, const void* from, std::size_t bytes) = 0;
  virtual void copy_within(int index, void* to, const void* from, std::size_t bytes) = 0;

  // Memory of the host that copy_from_pinned takes. It may be given back from any thread, which may be one of the
  // device.
  virtual void* allocate_pinned(std::size_t bytes) = 0;
  virtual void deallocate_pinned(void* p, std::size_t bytes) noexcept = 0;
  // As copy_to_device, but `from` is read later; `keep` is let go then.
  virtual void copy_from_pinned(int index, void* to, const void* from, std::size_t bytes,
                                std::shared_ptr<const void> keep) = 0;

  // Waits for all that was asked for before, and throws what went wrong meanwhile.
  virtual void synchronize(int index) = 0;

  // Calls `step`, and returns what it asked for. Nothing of that is done, and all of it is dropped where `step` throws.
  // Random numbers must be those of `seed`, with offsets that count from the beginning of the step.
  virtual std::unique_ptr<Recorded> record(int index, std::uint64_t seed, const std::function<void()>& step) = 0;
};

// Null where there is none; never for DeviceType::CPU.
Backend* backend(DeviceType type);
// Once, before the first tensor of the device is made. It must live as long as the process.
void register_backend(DeviceType type, Backend* backend);

// `bytes` of dense memory from one device to another, or within one; the CPU is one of them.
void transfer(Device to_device, void* to, Device from_device, const void* from, std::size_t bytes);

}  // namespace gradus::core
