// How others see what is computed: the counter of FLOPs, summaries, the profiler, the search for anomalies. While
// nobody watches, an operation pays for one comparison. For the library's own use; users see flops.h, profiler.h,
// nn/summary.h and autograd.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace gradus {

class Node;
class Tensor;

namespace detail {

// A call of a module. Operations remember the one in which they were recorded.
struct Layer {
  std::string path, type;  // "encoder.0", "Linear"; the outermost module's path is empty
  const void* module;      // its state: what tells two modules apart

  std::string to_string() const { return path.empty() ? type : path + " (" + type + ")"; }
};
using LayerRef = std::shared_ptr<const Layer>;

struct Cost {
  std::int64_t flops = 0;
  std::int64_t multiply_adds = 0;  // of products of matrices and convolutions; each is two of the FLOPs
};

// An operation that has ended.
struct Operation {
  const char* name;
  std::span<const Tensor* const> inputs;  // some may be undefined
  const Tensor* result;                   // null where it threw
  Cost cost;                              // with that of the operations within it
  std::int64_t bytes;                     // read and written: of all operands, nothing for a view
  int depth;                              // 0: not within another operation
};

// Calls come in the order of the work, begin and end nested. What an observer throws goes up through the operation.
struct Observer {
  virtual ~Observer() = default;
  virtual void begin_operation(const char* /*name*/) {}
  virtual void end_operation(const Operation&) {}
  // Around a node's backward; the operations that it runs come in between. `gradients` is empty where it threw.
  virtual void begin_backward(const Node&) {}
  virtual void end_backward(const Node&, std::span<const Tensor> /*gradients*/) {}
  // Around a module's call. `result` is null where it threw or does not return one tensor.
  virtual void begin_layer(const Layer&) {}
  virtual void end_layer(const Layer&, const Tensor* /*result*/) {}
  // A pass backward from these is about to begin. `captures`: its gradients are given back instead of stored.
  virtual void begin_pass(std::span<const Tensor> /*roots*/, bool /*captures*/) {}
  // A loss of these is about to be computed, under the name of its function.
  virtual void begin_loss(const char* /*name*/, const Tensor& /*input*/, const Tensor& /*target*/) {}
  // Around anything else that takes time: a step of an optimizer, a scope of the user's.
  virtual void begin_span(const char* /*name*/) {}
  virtual void end_span() {}
};

// Those of this thread are called for what this thread does, from the outermost to the innermost. One may watch all
// threads; it is called on each, several at a time. ValueError if there is one already.
void add_observer(Observer& observer);
void remove_observer(Observer& observer);
void watch_all_threads(Observer& observer);
void unwatch_all_threads();

extern constinit std::atomic<int> watchers;
inline bool is_watched() { return watchers.load(std::memory_order_relaxed) != 0; }

// The call of a module, and the backward, within which this thread is; null: none, or nobody watches.
LayerRef current_layer();
const Node* current_backward();

// One operation, from before its forward until done() or failed().
class Running {
 public:
  explicit Running(const char* name) : active_(is_watched()) {
    if (active_) [[unlikely]]
      begin(name);
  }
  bool active() const { return active_; }
  // `cost` is null where the operation does not say: that of the operations within it, or one FLOP per element.
  void done(std::span<const Tensor* const> inputs, const Tensor& result, const Cost* cost);
  // In a handler: closes the operation, and tells an OutOfMemory who asked.
  void failed(const char* name, std::span<const Tensor* const> inputs);

 private:
  static void begin(const char* name);
  bool active_;
};

// A node's backward, within the layer that recorded it.
class RunningBackward {
 public:
  explicit RunningBackward(const Node& node) : node_(node), active_(is_watched()) {
    if (active_) [[unlikely]]
      begin();
  }
  void done(std::span<const Tensor> gradients) {
    if (active_) [[unlikely]]
      end(gradients);
  }
  void failed();

 private:
  void begin();
  void end(std::span<const Tensor> gradients);
  const Node& node_;
  bool active_;
};

// The call of a module that is watched.
void begin_layer(LayerRef layer);
void end_layer(const Tensor* result);

void begin_pass_slow(std::span<const Tensor> roots, bool captures);
inline void begin_pass(std::span<const Tensor> roots, bool captures) {
  if (is_watched()) [[unlikely]]
    begin_pass_slow(roots, captures);
}
void begin_loss_slow(const char* name, const Tensor& input, const Tensor& target);
inline void begin_loss(const char* name, const Tensor& input, const Tensor& target) {
  if (is_watched()) [[unlikely]]
    begin_loss_slow(name, input, target);
}

// A named piece of work. The name must live as long.
class Span {
 public:
  explicit Span(const char* name) : active_(is_watched()) {
    if (active_) [[unlikely]]
      begin(name);
  }
  ~Span() {
    if (active_) [[unlikely]]
      end();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  static void begin(const char* name);
  static void end();
  bool active_;
};

}  // namespace detail
}  // namespace gradus
