// Whoever takes part in passes backward beside the engine: the reduction of gradients over processes, and audits.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

namespace gradus {
class Tensor;
}

namespace gradus::detail {

struct TensorImpl;

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
};

// In the order in which they are told. While there is none, a pass pays for one comparison.
void add_gradient_sink(GradientSink& sink);
void remove_gradient_sink(GradientSink& sink);
extern constinit std::atomic<int> gradient_sinks;
std::vector<GradientSink*> current_gradient_sinks();

}  // namespace gradus::detail
