#include "kernels/emulated/device.h"

#include <cstring>
#include <tuple>
#include <vector>

#include "kernels/emulated/held.h"
#include "kernels/emulated/memory.h"
#include "kernels/emulated/queue.h"

namespace gradus::emulated {

namespace {

// Used until the very end of the process.
Memory& memory() {
  static Memory* const instance = new Memory;
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

template <class Run>
void enqueue(Run run, bool is_kernel) {
  queue().add(std::make_unique<Task<Run>>(std::move(run)), is_kernel);
}

// Pointers as tensors hold them become such as kernels can work with.
struct Reach {
  template <class T>
  void operator()(T*& p) const {
    p = static_cast<T*>(memory().reach("emulated", p));
  }
};

// A kernel of the CPU, run by the queue. One that gives something back is waited for.
template <auto member>
struct Queued;
template <class R, class... A, R (*Kernels::*member)(A...)>
struct Queued<member> {
  static R run(A... arguments) {
    std::tuple<Held<A>...> held(Held<A>(arguments, Reach{})...);
    if constexpr (std::is_void_v<R>) {
      enqueue(
          [held = std::move(held)] { std::apply([](const auto&... x) { (cpu_kernels.*member)(x.get()...); }, held); },
          true);
    } else {
      R result{};
      enqueue(
          [held = std::move(held), &result] {
            result = std::apply([](const auto&... x) { return (cpu_kernels.*member)(x.get()...); }, held);
          },
          true);
      queue().wait();
      return result;
    }
  }
};
template <auto member>
constexpr auto queued = Queued<member>::run;

class Backend final : public core::Backend {
 public:
  int device_count() override { return 1; }
  std::string describe(int) override {
    return "for tests: the CPU's kernels, with memory that the host cannot touch and a queue of its own";
  }
  void* allocate(int, std::size_t bytes) override {
    void* p = memory().allocate(bytes);
    // What is read before it is written is not zero, nor a number.
    if (p != nullptr) {
      enqueue([to = memory().reach("emulated", p), bytes] { std::memset(to, 0xff, bytes); }, false);
    }
    return p;
  }
  // The queue does what was asked for before this sooner than what will be asked for the block's next owner.
  void deallocate(int, void* p, std::size_t bytes) noexcept override { memory().deallocate(p, bytes); }
  MemoryStats memory_stats(int) override { return memory().stats(); }

  void copy_to_device(int, void* to, const void* from, std::size_t bytes) override {
    enqueue([to = memory().reach("copy", to), held = kept(from, bytes), bytes] { std::memcpy(to, held.get(), bytes); },
            false);
  }
  void copy_to_host(int, void* to, const void* from, std::size_t bytes) override {
    enqueue([to, from = memory().reach("copy", from), bytes] { std::memcpy(to, from, bytes); }, false);
    queue().wait();
  }
  void copy_within(int, void* to, const void* from, std::size_t bytes) override {
    enqueue([to = memory().reach("copy", to), from = memory().reach("copy", from),
             bytes] { std::memmove(to, from, bytes); },
            false);
  }
  void synchronize(int) override { queue().wait(); }
};

}  // namespace

core::Backend& backend() {
  static Backend* const instance = new Backend;
  return *instance;
}

Counters counters() { return queue().counters(); }
void set_delays(int microseconds) { queue().set_delays(microseconds); }
void set_limit(std::size_t bytes) { memory().set_limit(bytes); }
void set_lost(bool lost) { queue().set_lost(lost); }

// Convolutions are row-major: what the CPU does with channels-last images and packed weights is its own affair.
constinit const Kernels kernels{
    .elementwise = queued<&Kernels::elementwise>,
    .contiguous = queued<&Kernels::contiguous>,
    .copy = queued<&Kernels::copy>,
    .fill = queued<&Kernels::fill>,
    .zero = queued<&Kernels::zero>,
    .gemm = queued<&Kernels::gemm>,
    .gemm_batch = queued<&Kernels::gemm_batch>,
    .gemm_bfloat16 = [](bool, bool, std::int64_t, std::int64_t, std::int64_t, const BFloat16*, std::int64_t,
                        const BFloat16*, std::int64_t, Dtype, void*, std::int64_t) { return false; },
    .reduce = queued<&Kernels::reduce>,
    .find_first = queued<&Kernels::find_first>,
    .cumsum = queued<&Kernels::cumsum>,
    .prod_of_others = queued<&Kernels::prod_of_others>,
    .softmax = queued<&Kernels::softmax>,
    .softmax_backward = queued<&Kernels::softmax_backward>,
    .cross_entropy = queued<&Kernels::cross_entropy>,
    .cross_entropy_backward = queued<&Kernels::cross_entropy_backward>,
    .moments = queued<&Kernels::moments>,
    .normalize = queued<&Kernels::normalize>,
    .normalize_backward = queued<&Kernels::normalize_backward>,
    .rms_norm = queued<&Kernels::rms_norm>,
    .rms_norm_backward = queued<&Kernels::rms_norm_backward>,
    .rows_moments = queued<&Kernels::rows_moments>,
    .rows_normalize = queued<&Kernels::rows_normalize>,
    .rows_norm_backward = queued<&Kernels::rows_norm_backward>,
    .conv_forward = queued<&Kernels::conv_forward>,
    .conv_backward_data = queued<&Kernels::conv_backward_data>,
    .conv_backward_weight = queued<&Kernels::conv_backward_weight>,
    .conv_serves_channels_last = [](Dtype, const kernel::Convolution&) { return false; },
    .conv_rows_forward = [](Dtype, const kernel::Convolution&, const void*, const kernel::PackedWeights&,
                            const kernel::ConvEpilogue&, void*) {},
    .conv_rows_backward_data = [](Dtype, const kernel::Convolution&, const void*, Dtype, const void*,
                                  void*) { return false; },
    .conv_rows_backward_weight = [](Dtype, const kernel::Convolution&, const void*, const void*, float*) {},
    .conv_pack = [](Dtype, const kernel::Convolution&, const kernel::ConvEpilogue&, Dtype,
                    const void*) { return std::shared_ptr<const kernel::PackedWeights>(); },
    .conv_fits = [](Dtype, const kernel::Convolution&, const kernel::ConvEpilogue&,
                    const kernel::PackedWeights&) { return false; },
    .recurrent_forward = queued<&Kernels::recurrent_forward>,
    .recurrent_backward = queued<&Kernels::recurrent_backward>,
    .recurrent_states_before = queued<&Kernels::recurrent_states_before>,
    .max_pool = queued<&Kernels::max_pool>,
    .pool_pick = queued<&Kernels::pool_pick>,
    .pool_put = queued<&Kernels::pool_put>,
    .avg_pool = queued<&Kernels::avg_pool>,
    .avg_pool_backward = queued<&Kernels::avg_pool_backward>,
    .max_pool_rows = queued<&Kernels::max_pool_rows>,
    .pool_pick_rows = queued<&Kernels::pool_pick_rows>,
    .pool_put_rows = queued<&Kernels::pool_put_rows>,
    .avg_pool_rows = queued<&Kernels::avg_pool_rows>,
    .avg_pool_rows_backward = queued<&Kernels::avg_pool_rows_backward>,
    .resample = queued<&Kernels::resample>,
    .resample_backward = queued<&Kernels::resample_backward>,
    .check_index = queued<&Kernels::check_index>,
    .pick_rows = queued<&Kernels::pick_rows>,
    .put_rows = queued<&Kernels::put_rows>,
    .add_rows = queued<&Kernels::add_rows>,
    .gather = queued<&Kernels::gather>,
    .scatter = queued<&Kernels::scatter>,
    .scatter_add = queued<&Kernels::scatter_add>,
    .nonzero = queued<&Kernels::nonzero>,
    .sort_rows = queued<&Kernels::sort_rows>,
    .triangle = queued<&Kernels::triangle>,
    .fill_uniform = queued<&Kernels::fill_uniform>,
    .fill_normal = queued<&Kernels::fill_normal>,
    .fill_integers = queued<&Kernels::fill_integers>,
    .fill_bernoulli = queued<&Kernels::fill_bernoulli>,
    .fill_permutation = queued<&Kernels::fill_permutation>,
    .update = queued<&Kernels::update>,
    .norm_powers = queued<&Kernels::norm_powers>,
    .multi_scale = queued<&Kernels::multi_scale>,
    .multi_clamp = queued<&Kernels::multi_clamp>,
    .multi_lerp = queued<&Kernels::multi_lerp>,
    .multi_meet = queued<&Kernels::multi_meet>,
    .variant = [] { return cpu_kernels.variant(); },
};

}  // namespace gradus::emulated
