// Whoever takes part in passes backward beside the engine: the reduction of gradients over processes, and audits.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

namespace gradus {
class Tensor;
}

namespace gradus::detail {

struct TensorImpl;
class SinkEntry;

enum class LeafUse {
  none,
  asked,    // wanted, but it does not lead to what the pass began with
  present,  // leads there, but is not wanted
  used      // will get a gradient
};

// Told of every pass that stores gradients, in the thread that runs it. What it throws ends the pass.
struct GradientSink {
  virtual ~GradientSink() = default;
  // Before anything runs.
  virtual void begin(const std::function<LeafUse(const TensorImpl*)>& /*use*/) {}
  // The leaf's gradient of this pass, after its hooks, which is about to be stored in .grad or added to it.
  virtual void arriving(const TensorImpl* /*leaf*/, const Tensor& /*grad*/) {}
  virtual void complete(const TensorImpl* /*leaf*/) {}  // its .grad is final
  virtual void progress() {}                            // after each node
  virtual void end() {}                                 // all is computed: .grad may still be changed
  virtual void failed(const char* /*what*/) noexcept {}

  std::shared_ptr<SinkEntry> entry;  // once it has been added
};

// In the order in which they are told. While there is none, a pass pays for one comparison.
void add_gradient_sink(GradientSink& sink);
// No call begins any more; one that another thread is in the middle of may still run.
void remove_gradient_sink(GradientSink& sink);
// The same, and waits for those calls: for destructors.
void end_gradient_sink(GradientSink& sink);
extern constinit std::atomic<int> gradient_sinks;

// What a pass holds of a sink, which may go while the pass runs.
class SinkEntry {
 public:
  template <class Fn>
  void tell(const Fn& fn) {
    const Call call(*this);
    if (GradientSink* sink = sink_.load()) fn(*sink);
  }
  void set(GradientSink* sink) { sink_ = sink; }  // null: no call begins any more
  void wait_for_others();

 private:
  // A call of this thread, among those that it is within.
  struct Call {
    explicit Call(SinkEntry& entry);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    SinkEntry& entry;
    const Call* outer;
  };
  static const Call*& innermost();

  std::atomic<GradientSink*> sink_{nullptr};
  std::atomic<int> calls_{0};
};
std::vector<std::shared_ptr<SinkEntry>> current_gradient_sinks();

}  // namespace gradus::detail
