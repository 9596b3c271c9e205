// How a differentiable operation is written. The library's own operations and a user's look the same:
//
//   struct Cube final : Op {
//     const char* name() const override { return "cube"; }
//     Tensor forward(const Tensor& x) {
//       save(0, x);
//       return x * x * x;
//     }
//     void backward(const Tensor& g, Grads gx) override { gx[0] = g * saved(0) * saved(0) * 3; }
//   };
//   Tensor cube(const Tensor& x) { return apply(Cube{}, x); }
//
// forward runs with recording off. backward is written with differentiable operations, so that it can be
// differentiated again. An operation has one differentiable result; further results are fields read by the caller.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <span>
#include <type_traits>

#include <gradus/autograd.h>
#include <gradus/tensor.h>

namespace gradus {

class Node;

// Where a gradient goes: to the operation that made an input, or to a leaf.
struct Edge {
  Ref<Node> node;
  Ref<detail::TensorImpl> leaf;
  bool needed = false;  // by the graph while recording; by the running backward while that runs

  bool exists() const { return node || leaf; }
};

// The gradients of the inputs, in order; fill in those that needs(i).
using Grads = std::span<Tensor>;

// An operation in the graph.
class Node : public RefCounted {
 public:
  Node() = default;
  Node(Node&& other) noexcept;
  virtual ~Node();
  virtual const char* name() const = 0;
  virtual void backward(const Tensor& grad, Grads grads) = 0;

  std::span<Edge> edges() { return {edges_, static_cast<std::size_t>(edge_count_)}; }
  std::uint64_t sequence() const { return sequence_; }

  // The library's: used by apply() and the engine.
  void connect(std::span<const Tensor* const> inputs);
  void release();  // frees what was saved; a second backward is then an error
  void check_not_released() const;

 protected:
  // Whether input i needs a gradient. Compute and save for nothing else.
  bool needs(int i) const { return i < edge_count_ && edges_[i].needed; }
  bool needs_any() const;

  // Keeps input i, or from slot inputs() on anything else, for backward. Does nothing when nothing is recorded.
  void save(int slot, const Tensor& x);
  // Keeps the result, without making a cycle of owners.
  void save_output(const Tensor& y);
  // What was saved. AutogradError, naming the operation, if it was changed in place since.
  Tensor saved(int slot) const;
  Tensor output() const;
  bool has_saved(int slot) const;

 private:
  struct Saved {
    Tensor tensor;
    std::uint32_t version = 0;
  };
  friend class Engine;
  friend void ref_destroy(Node*) noexcept;
  void reserve_edges(int count);
  const Saved& at(int slot) const;
  void check_version(const Saved& saved, int slot) const;

  static constexpr int kInline = 3;
  std::array<Edge, kInline> inline_edges_;
  std::vector<Edge> more_edges_;  // used instead when there are more than kInline
  Edge* edges_ = inline_edges_.data();
  int edge_count_ = 0;
  bool recording_ = false, released_ = false;

  std::array<Saved, kInline> saved_;
  std::vector<Saved> more_saved_;
  Saved output_;

  std::uint64_t sequence_ = 0;
  std::vector<std::pair<std::size_t, std::function<Tensor(const Tensor&)>>> hooks_;
  detail::TensorImpl* retain_ = nullptr;  // the tensor that asked to keep its gradient; it clears this when it goes

  // State of the backward that is running over this node.
  std::atomic<std::uint64_t> run_{0};
  std::int32_t pending_ = 0;
  Node* next_doomed_ = nullptr;
  bool run_needed_ = false;
  Tensor run_grad_;
  friend class Tensor;
  friend struct NodeAccess;
};

// What an operation derives from.
class Op : public Node {};

namespace detail {
bool any_requires_grad(std::span<const Tensor* const> xs);
bool any_requires_grad(std::span<const Tensor> xs);
void set_history(Tensor& result, Ref<Node> node);

// Called around every forward while someone is watching: the FLOP counter, the profiler.
struct Observer {
  virtual ~Observer() = default;
  virtual void operation(const char* name, std::int64_t flops, const Tensor& result) = 0;
};
extern constinit thread_local Observer* observer;

inline void observe(const char* name, const Tensor& y) {
  if (observer != nullptr) [[unlikely]]
    observer->operation(name, y.numel(), y);
}

// One FLOP per element of the result unless the operation has a `flops(y, inputs...)` of its own.
template <class O, class... T>
void observe(O& op, const Tensor& y, const T&... xs) {
  if (observer == nullptr) [[likely]]
    return;
  std::int64_t flops = y.numel();
  if constexpr (requires { op.flops(y, xs...); }) flops = op.flops(y, xs...);
  observer->operation(op.name(), flops, y);
}

// Runs a node's forward and makes the node the history of the result.
template <class O, class... T>
Tensor record(Ref<O> node, std::span<const Tensor* const> inputs, const T&... xs) {
  node->connect(inputs);
  Tensor y;
  {
    NoGrad guard;
    y = node->forward(xs...);
  }
  observe(*node, y, xs...);
  set_history(y, std::move(node));
  return y;
}
}  // namespace detail

// Runs op.forward(xs...), recording op as a node of the graph where an input requires a gradient. Undefined tensors
// stand for absent optional inputs.
template <class O, class... T>
requires(std::same_as<T, Tensor>&&...) Tensor apply(O&& op, const T&... xs) {
  const std::array<const Tensor*, sizeof...(T)> inputs{&xs...};
  if (is_grad_enabled() && detail::any_requires_grad(inputs)) {
    return detail::record(make_ref<std::decay_t<O>>(std::forward<O>(op)), std::span<const Tensor* const>(inputs),
                          xs...);
  }
  Tensor y = op.forward(xs...);
  detail::observe(op, y, xs...);
  return y;
}

// For operations over a list of tensors: forward(std::span<const Tensor>).
template <class O>
Tensor apply(O&& op, std::span<const Tensor> xs) {
  if (is_grad_enabled() && detail::any_requires_grad(xs)) {
    std::vector<const Tensor*> inputs;
    for (const Tensor& x : xs) inputs.push_back(&x);
    return detail::record(make_ref<std::decay_t<O>>(std::forward<O>(op)), std::span<const Tensor* const>(inputs), xs);
  }
  Tensor y = op.forward(xs);
  detail::observe(op, y, xs);
  return y;
}

}  // namespace gradus
