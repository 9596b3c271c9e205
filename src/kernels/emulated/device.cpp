#include "kernels/emulated/device.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <utility>

#include "core/memory/allocator.h"
#include "kernels/emulated/memory.h"
#include "kernels/emulated/queue.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/recording.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/table.h"

namespace gradus::emulated {

namespace {

// Used until the very end of the process.
Memory& memory() {
  static Memory* const instance = [] {
    auto* made = new Memory;
    gpu::memory_offset = made->offset();
    return made;
  }();
  return *instance;
}
Queue& queue() {
  static Queue* const instance = new Queue;
  return *instance;
}

template <class Run>
class Task final : public Job {
 public:
  explicit Task(Run run) : run_(std::move(run)) {}
  void run() override { run_(); }

 private:
  Run run_;
};

using Jobs = std::vector<std::unique_ptr<Job>>;
thread_local Jobs* captured = nullptr;  // what this thread asks for while it records

template <class Run>
void enqueue(Run run, bool is_kernel) {
  auto job = std::make_unique<Task<Run>>(std::move(run));
  if (captured != nullptr) {
    captured->push_back(std::move(job));
  } else {
    gpu::refuse_beside_recording();
    queue().add(std::move(job), is_kernel);
  }
}

void* reach(const void* p) {
  gpu::note_use(p);
  return memory().reach("emulated", p);
}

std::atomic<std::int64_t> pinned_copies{0}, repeated_steps{0};

class Backend final : public core::Backend {
 public:
  int device_count() override { return 1; }
  std::string describe(int) override {
    return "for tests: the kernels of GPUs on the CPU, with memory that the host cannot touch and a queue of its own";
  }
  void* allocate(int, std::size_t bytes) override { return gpu::allocate(bytes); }
  // The queue does what was asked for before this sooner than what will be asked for the block's next owner.
  void deallocate(int, void* p, std::size_t bytes) noexcept override { gpu::release(p, bytes); }
  MemoryStats memory_stats(int) override { return memory().stats(); }
  void reset_peak_memory(int) override { memory().reset_peak(); }
  void empty_cache(int) override {
    gpu::refuse_recording("empty_cache");
    queue().wait();
  }
  std::int64_t free_memory(int) override { return memory().room(); }
  cuda::DeviceProperties properties(int) override {
    return {.name = "emulated", .total_memory = memory().limit(), .multi_processor_count = 1};
  }

  void copy_to_device(int, void* to, const void* from, std::size_t bytes) override {
    gpu::copy_from_host(to, from, bytes);
  }
  void copy_to_host(int, void* to, const void* from, std::size_t bytes) override { gpu::copy_to_host(to, from, bytes); }
  void copy_within(int, void* to, const void* from, std::size_t bytes) override {
    enqueue([to = reach(to), from = reach(from), bytes] { std::memmove(to, from, bytes); }, false);
  }
  void* allocate_pinned(std::size_t bytes) override { return core::allocate(bytes); }
  void deallocate_pinned(void* p, std::size_t bytes) noexcept override { core::deallocate(p, bytes); }
  void copy_from_pinned(int, void* to, const void* from, std::size_t bytes, std::shared_ptr<const void> keep) override {
    gpu::refuse_recording("a copy from pinned memory");
    ++pinned_copies;
    enqueue([to = reach(to), from, bytes, keep = std::move(keep)] { std::memcpy(to, from, bytes); }, false);
  }
  void synchronize(int) override {
    gpu::refuse_recording("synchronize");
    queue().wait();
    gpu::throw_bad_index();
  }
  std::unique_ptr<core::Recorded> record(int, std::uint64_t seed, const std::function<void()>& step) override {
    return gpu::record(seed, step);
  }
};

}  // namespace

core::Backend& backend() {
  static Backend* const instance = new Backend;
  return *instance;
}
const Kernels& kernels() { return gpu::table; }

Counters counters() {
  Counters all = queue().counters();
  all.pinned_copies = pinned_copies;
  all.repeated_steps = repeated_steps;
  return all;
}
void set_delays(int microseconds) { queue().set_delays(microseconds); }
void set_limit(std::size_t bytes) { memory().set_limit(bytes); }
void set_lost(bool lost) { queue().set_lost(lost); }

}  // namespace gradus::emulated

// --- what the kernels ask of a device: kernels/gpu/runtime.h ---

namespace gradus::gpu {

using namespace emulated;

std::ptrdiff_t memory_offset = 0;

void check_memory(const void* p) { reach(p); }
void submit(std::function<void()> kernel) { enqueue(std::move(kernel), true); }

void* allocate_block(std::size_t bytes) { return memory().allocate(bytes); }
void release_block(void* p, std::size_t bytes) noexcept { memory().deallocate(p, bytes); }
void* allocate(std::size_t bytes) {
  void* p = allocate_recorded(bytes);
  if (p == nullptr) p = memory().allocate(bytes);
  // What is read before it is written is not zero, nor a number.
  if (p != nullptr) enqueue([to = reach(p), bytes] { std::memset(to, 0xff, bytes); }, false);
  return p;
}
void release(void* p, std::size_t bytes) noexcept {
  if (!release_recorded(p, bytes)) memory().deallocate(p, bytes);
}

void copy_from_host(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  if (const void* const recorded = recorded_copy(from, bytes); recorded != nullptr) {
    enqueue([to = reach(to), from = reach(recorded), bytes] { std::memcpy(to, from, bytes); }, false);
    return;
  }
  auto held = std::make_shared<std::byte[]>(bytes);
  std::memcpy(held.get(), from, bytes);
  enqueue([to = reach(to), held, bytes] { std::memcpy(to, held.get(), bytes); }, false);
}
void copy_to_host(void* to, const void* from, std::size_t bytes) {
  refuse_recording("a copy to the host");
  enqueue([to, from = reach(from), bytes] { std::memcpy(to, from, bytes); }, false);
  queue().wait();
  throw_bad_index();
}
void clear(void* p, std::size_t bytes) {
  enqueue([to = reach(p), bytes] { std::memset(to, 0, bytes); }, true);
}
void read_finished(void* to, const void* from, std::size_t bytes) { std::memcpy(to, reach(from), bytes); }
int current_device() { return 0; }
void select_device(int) {}

void begin_capture() { captured = new Jobs; }
std::shared_ptr<void> end_capture() { return std::shared_ptr<Jobs>(std::exchange(captured, nullptr)); }
void abandon_capture() noexcept { delete std::exchange(captured, nullptr); }
void launch_captured(const std::shared_ptr<void>& step) {
  const auto run = [jobs = std::static_pointer_cast<Jobs>(step)] {
    for (const auto& job : *jobs) job->run();
  };
  enqueue(run, false);
  ++repeated_steps;
}

// There is no library: products are those of kernels/gpu/product.cpp.
bool library_gemm(const kernel::Product&, const kernel::Batch&) { return false; }
bool library_gemm_bfloat16(bool, bool, std::int64_t, std::int64_t, std::int64_t, const void*, std::int64_t, const void*,
                           std::int64_t, bool, void*, std::int64_t) {
  return false;
}

}  // namespace gradus::gpu
