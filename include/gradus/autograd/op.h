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
#include <gradus/detail/observer.h>
#include <gradus/tensor.h>

namespace gradus {

// Where a gradient goes: to the operation that made an input, or to a leaf.
struct Edge {
  Ref<Node> node;
  Ref<detail::TensorImpl> leaf;
  bool needed = false;           // by the graph while recording; by the running backward while that runs
  Dtype dtype = Dtype::Float32;  // of the input, and so of its gradient

  bool exists() const { return node || leaf; }
};

// The gradients of the inputs, in order; fill in those that needs(i).
class Grads : public std::span<Tensor> {
 public:
  using std::span<Tensor>::span;
  Tensor& operator[](std::size_t i) const {
    if (i >= size()) refuse(i, size());
    return data()[i];
  }

 private:
  [[noreturn]] static void refuse(std::size_t i, std::size_t inputs);
};

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
  const Shape& result_sizes() const { return result_sizes_; }
  // The module in which this was recorded; null unless somebody watched.
  const detail::LayerRef& layer() const { return layer_; }

  // The library's: used by apply() and the engine.
  void connect(std::span<const Tensor* const> inputs);
  void set_result_sizes(const Shape& sizes) { result_sizes_ = sizes; }
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
  Shape result_sizes_;  // which a gradient must have
  detail::LayerRef layer_;
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
// ValueError, which names two of them, unless all inputs are on one device. `numbers`: 0-d tensors of the CPU may stand
// beside tensors of any.
void check_devices(const Node& op, std::span<const Tensor* const> inputs, bool numbers);

// What an operation costs, where it says so: as `multiply_adds(y, inputs...)`, or as `flops(y, inputs...)`.
template <class O, class... T>
void done(Running& running, O& op, std::span<const Tensor* const> inputs, const Tensor& y, const T&... xs) {
  if constexpr (requires { op.multiply_adds(y, xs...); }) {
    const std::int64_t count = op.multiply_adds(y, xs...);
    const Cost cost{2 * count, count};
    running.done(inputs, y, &cost);
  } else if constexpr (requires { op.flops(y, xs...); }) {
    const Cost cost{op.flops(y, xs...), 0};
    running.done(inputs, y, &cost);
  } else {
    running.done(inputs, y, nullptr);
  }
}

// Runs forward() as an operation that others may watch.
template <class F, class... T>
Tensor observed(const char* name, const F& forward, const T&... xs) {
  Running running(name);
  try {
    Tensor y = forward();
    if (running.active()) [[unlikely]]
      running.done(std::array<const Tensor*, sizeof...(T)>{&xs...}, y, nullptr);
    return y;
  } catch (...) {
    running.failed(name, std::array<const Tensor*, sizeof...(T)>{&xs...});
    throw;
  }
}

// Runs op.forward(xs...), for whoever watches too.
template <class O, class... T>
Tensor run(O& op, std::span<const Tensor* const> inputs, const T&... xs) {
  if constexpr (sizeof...(T) > 1 || !(std::is_same_v<T, Tensor> && ...)) {
    constexpr bool numbers = requires { O::takes_numbers; };
    check_devices(op, inputs, numbers);
  }
  Running running(op.name());
  try {
    Tensor y = op.forward(xs...);
    if (running.active()) [[unlikely]]
      done(running, op, inputs, y, xs...);
    return y;
  } catch (...) {
    running.failed(op.name(), inputs);
    throw;
  }
}

// Runs a node's forward and makes the node the history of the result.
template <class O, class... T>
Tensor record(Ref<O> node, std::span<const Tensor* const> inputs, const T&... xs) {
  node->connect(inputs);
  Tensor y;
  {
    NoGrad guard;
    y = run(*node, inputs, xs...);
  }
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
  return detail::run(op, inputs, xs...);
}

// For operations over a list of tensors: forward(std::span<const Tensor>).
template <class O>
Tensor apply(O&& op, std::span<const Tensor> xs) {
  std::vector<const Tensor*> inputs;
  for (const Tensor& x : xs) inputs.push_back(&x);
  if (is_grad_enabled() && detail::any_requires_grad(xs)) {
    return detail::record(make_ref<std::decay_t<O>>(std::forward<O>(op)), std::span<const Tensor* const>(inputs), xs);
  }
  return detail::run(op, std::span<const Tensor* const>(inputs), xs);
}

}  // namespace gradus
