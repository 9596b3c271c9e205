#include "autograd/engine.h"

#include <gradus/ops.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "autograd/watching.h"
#include "core/layout.h"

namespace gradus {

namespace {

std::atomic<std::uint64_t> next_run{1};

// Graphs that are separate may still share leaves: their gradients are guarded.
std::mutex& leaf_mutex(const void* leaf) {
  static std::array<std::mutex, 64> mutexes;
  return mutexes[(reinterpret_cast<std::uintptr_t>(leaf) >> 6) % mutexes.size()];
}

bool later(const Node* a, const Node* b) { return a->sequence() < b->sequence(); }

bool owned_alone(const Tensor& x) { return x.ref()->use_count() == 1 && x.impl()->storage->use_count() == 1; }

Tensor checked_hook(const char* what, const std::function<Tensor(const Tensor&)>& hook, const Tensor& grad) {
  Tensor replaced = hook(grad);
  if (!replaced.defined()) return grad;
  if (!(replaced.sizes() == grad.sizes())) {
    throw ShapeError(std::string(what) + ": a hook must keep the gradient's sizes " + to_string(grad.sizes()) +
                     ", it returned " + to_string(replaced.sizes()));
  }
  if (replaced.dtype() != grad.dtype()) {
    throw DtypeError(std::string(what) + ": a hook must keep the gradient's type " + to_string(grad.dtype()) +
                     ", it returned " + to_string(replaced.dtype()));
  }
  return replaced;
}

// Whose backward runs on this thread.
constinit thread_local const Node* running_node [[gnu::tls_model("initial-exec")]] = nullptr;
struct RunningNode {
  const Node* outer;
  explicit RunningNode(const Node* node) : outer(std::exchange(running_node, node)) {}
  ~RunningNode() { running_node = outer; }
};

// What an operation returned for its inputs, by whoever wrote it.
void check_gradients(const Node& node, std::span<const Edge> edges, Grads grads) {
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const Edge& edge = edges[i];
    const Tensor& grad = grads[i];
    if (!edge.needed || !grad.defined()) continue;
    const Shape& sizes = edge.leaf ? edge.leaf->sizes : edge.node->result_sizes();
    const auto must = [&] {
      return "backward of " + std::string(node.name()) + ": the gradient of input " + std::to_string(i) + " must ";
    };
    if (!(grad.sizes() == sizes)) {
      throw ShapeError(must() + "have its sizes " + to_string(sizes) + ", got " + to_string(grad.sizes()));
    }
    if (grad.dtype() != edge.dtype) {
      throw DtypeError(must() + "be " + to_string(edge.dtype) + " as it is, got " + to_string(grad.dtype()));
    }
    if (edge.leaf && grad.device() != edge.leaf->storage->device) {
      throw ValueError(must() + "be on its device " + to_string(edge.leaf->storage->device) + ", got " +
                       to_string(grad.device()));
    }
  }
}

}  // namespace

void Grads::refuse(std::size_t i, std::size_t inputs) {
  throw IndexError("backward of " + std::string(running_node ? running_node->name() : "an operation") +
                   ": there is no input " + std::to_string(i) + " to give a gradient to, forward took " +
                   std::to_string(inputs));
}

Engine::Engine(const Request& request)
    : request_(request),
      id_(next_run.fetch_add(1, std::memory_order_relaxed)),
      all_leaves_(request.inputs.empty() && !request.capture) {
  captured_.resize(request.inputs.size());
}

// Also when an operation threw: no gradient may remain in the graph.
Engine::~Engine() {
  for (Node* node : visited_) {
    node->run_grad_ = Tensor();
    node->pending_ = 0;
    node->run_.store(0, std::memory_order_release);
  }
}

Engine::Leaf& Engine::leaf_of(const Ref<detail::TensorImpl>& impl) {
  Leaf& leaf = leaves_[impl.get()];
  if (!leaf.tensor.defined()) {
    leaf.tensor = Tensor(impl);
    leaf.needed = targets(impl.get());
  }
  return leaf;
}

void Engine::mark_visited(Node* node) {
  std::uint64_t expected = 0;
  if (!node->run_.compare_exchange_strong(expected, id_, std::memory_order_acq_rel)) {
    throw AutogradError("backward: another backward is running over the same graph (at " + std::string(node->name()) +
                        "); only separate graphs may be differentiated at the same time");
  }
  node->run_needed_ = all_leaves_ || wanted_nodes_.count(node) != 0;
  visited_.push_back(node);
}

// Depth first with an own stack. Counts how many gradients each node waits for, and on the way back up marks the nodes
// that lead to something wanted.
void Engine::discover(Node* root) {
  if (root->run_.load(std::memory_order_relaxed) == id_) return;
  struct Frame {
    Node* node;
    std::size_t next;
  };
  std::vector<Frame> stack;
  mark_visited(root);
  stack.push_back({root, 0});
  while (!stack.empty()) {
    Frame& top = stack.back();
    const auto edges = top.node->edges();
    if (top.next == edges.size()) {
      stack.pop_back();
      continue;
    }
    Edge& edge = edges[top.next];
    if (edge.leaf) {
      Leaf& leaf = leaf_of(edge.leaf);
      ++leaf.pending;
      edge.needed = leaf.needed;
    } else if (edge.node) {
      Node* child = edge.node.get();
      if (child->run_.load(std::memory_order_relaxed) != id_) {
        mark_visited(child);
        stack.push_back({child, 0});
        continue;  // this edge again, once its target's need is known
      }
      ++child->pending_;
      edge.needed = child->run_needed_;
    }
    top.node->run_needed_ = top.node->run_needed_ || edge.needed;
    ++top.next;
  }
}

void Engine::accumulate(Tensor& into, Tensor grad) const {
  if (!into.defined()) {
    into = std::move(grad);
  } else if (!request_.create_graph && owned_alone(into) && (into.is_contiguous() || detail::is_channels_last(into))) {
    into.add_(grad);
  } else {
    into = add(into, grad);
  }
}

void Engine::push(const Edge& edge, Tensor grad) {
  if (edge.leaf) {
    Leaf& leaf = leaf_of(edge.leaf);
    if (leaf.needed && grad.defined()) accumulate(leaf.grad, std::move(grad));
    if (--leaf.pending == 0 && leaf.needed) finish_leaf(leaf);
    return;
  }
  Node* node = edge.node.get();
  if (grad.defined() && node->run_needed_) {
    const detail::ForNode scope(*node);
    accumulate(node->run_grad_, std::move(grad));
  }
  if (--node->pending_ == 0) {
    ready_.push_back(node);
    std::push_heap(ready_.begin(), ready_.end(), later);
  }
}

void Engine::finish_leaf(Leaf& leaf) {
  if (!leaf.grad.defined()) return;
  detail::TensorImpl& impl = *leaf.tensor.impl();
  if (detail::is_frozen(impl)) return;  // since the graph was recorded
  if (impl.extras) {
    // A copy: a hook may remove itself.
    const auto hooks = impl.extras->hooks;
    for (const auto& [handle, hook] : hooks) leaf.grad = checked_hook("backward", hook, leaf.grad);
  }
  if (leaf.grad.dtype() != impl.dtype) leaf.grad = leaf.grad.to(impl.dtype);  // converted since (Module::to)
  if (const Device device = impl.storage->device; leaf.grad.device() != device)
    leaf.grad = leaf.grad.to(device);  // moved since, or a number beside tensors of another device
  if (request_.capture) {
    captured_[wanted_leaves_.at(&impl)] = leaf.grad;
    return;
  }
  tell_sinks([&](detail::GradientSink& sink) { sink.arriving(&impl, leaf.grad); });
  store(impl, leaf);
  tell_sinks([&](detail::GradientSink& sink) { sink.complete(&impl); });
}

void Engine::store(detail::TensorImpl& impl, Leaf& leaf) const {
  const std::lock_guard lock(leaf_mutex(&impl));
  if (!impl.grad) {
    Tensor grad = std::move(leaf.grad);
    // Others may hold or see this memory (a root's gradient, a broadcast): .grad must be the leaf's own.
    if (!request_.create_graph && (!owned_alone(grad) || !grad.is_contiguous() || grad.is_view())) {
      grad = grad.detach().clone();
    }
    impl.grad = grad.ref();
  } else if (request_.create_graph) {
    impl.grad = add(Tensor(impl.grad), leaf.grad).ref();
  } else {
    Tensor(impl.grad).add_(leaf.grad);
  }
}

// What leads to a leaf is known once discover() has run.
void Engine::begin_sinks() {
  if (request_.capture) return;
  sinks_ = detail::current_gradient_sinks();
  const auto use = [this](const detail::TensorImpl* leaf) {
    const bool asked = targets(leaf) && leaf->requires_grad && !detail::is_frozen(*leaf);
    if (leaves_.count(leaf) != 0) return asked ? detail::LeafUse::used : detail::LeafUse::present;
    return asked ? detail::LeafUse::asked : detail::LeafUse::none;
  };
  tell_sinks([&](detail::GradientSink& sink) { sink.begin(use); });
}

void Engine::execute(Node* node) {
  Tensor grad = std::move(node->run_grad_);
  const auto edges = node->edges();
  if (grad.defined()) {
    for (const auto& [handle, hook] : std::vector(node->hooks_)) grad = checked_hook(node->name(), hook, grad);
    if (node->retain_ != nullptr) {
      Tensor kept{Ref<detail::TensorImpl>(node->retain_)};
      const Tensor own = request_.create_graph ? grad : grad.detach();
      kept.set_grad(kept.grad().defined() ? add(kept.grad(), own) : own.clone());  // what goes on is not its own
    }
    const auto [first, last] = wanted_nodes_.equal_range(node);
    for (auto it = first; it != last; ++it) {
      const std::size_t slot = it->second;
      if (request_.capture) {
        captured_[slot] = grad;
      } else {
        Tensor input = request_.inputs[slot];
        input.set_grad(input.grad().defined() ? add(input.grad(), grad) : grad.clone());
      }
    }
  }
  bool wanted_below = false;
  for (const Edge& edge : edges) wanted_below = wanted_below || edge.needed;

  std::array<Tensor, Node::kInline> few;
  std::vector<Tensor> many;
  Grads grads(few.data(), edges.size());
  if (edges.size() > few.size()) {
    many.resize(edges.size());
    grads = many;
  }
  if (grad.defined() && wanted_below) {
    node->check_not_released();
    detail::RunningBackward running(*node);
    const RunningNode scope(node);
    try {
      node->backward(grad, grads);
      check_gradients(*node, edges, grads);
      running.done(grads);
    } catch (...) {
      running.failed();
      throw;
    }
    grad = Tensor();
  }
  if (!request_.retain_graph) node->release();
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (edges[i].exists()) push(edges[i], edges[i].needed ? std::move(grads[i]) : Tensor());
  }
}

bool Engine::keeps_result(const Node& node, const detail::Storage* storage) {
  return node.output_.tensor.defined() && node.output_.tensor.impl()->storage.get() == storage;
}

void Engine::run_nodes() {
  for (std::size_t i = 0; i < request_.roots.size(); ++i) {
    Edge edge;
    edge.node = request_.roots[i].grad_fn();
    if (!edge.node) edge.leaf = request_.roots[i].ref();
    push(edge, request_.gradients[i]);
  }
  while (!ready_.empty()) {
    std::pop_heap(ready_.begin(), ready_.end(), later);
    Node* node = ready_.back();
    ready_.pop_back();
    execute(node);
    tell_sinks([&](detail::GradientSink& sink) { sink.progress(); });
  }
}

std::vector<Tensor> Engine::run(const Request& request) {
  Engine engine(request);
  const GradMode mode(request.create_graph);
  const detail::BackwardPass pass;
  detail::begin_pass(request.roots, request.capture);

  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const Tensor& input = request.inputs[i];
    if (const Ref<Node> node = input.grad_fn()) {
      engine.wanted_nodes_.emplace(node.get(), i);
    } else {
      engine.wanted_leaves_.emplace(input.impl(), i);
    }
  }
  for (const Tensor& root : request.roots) {
    if (const Ref<Node> node = root.grad_fn()) {
      engine.discover(node.get());
    } else {
      engine.leaf_of(root.ref());
    }
  }
  // The roots' own gradients are one more thing to wait for.
  for (const Tensor& root : request.roots) {
    if (const Ref<Node> node = root.grad_fn()) {
      ++node->pending_;
    } else {
      ++engine.leaf_of(root.ref()).pending;
    }
  }
  try {
    if (detail::gradient_sinks.load(std::memory_order_relaxed) != 0) [[unlikely]]
      engine.begin_sinks();
    engine.run_nodes();
    engine.tell_sinks([&](detail::GradientSink& sink) { sink.end(); });
  } catch (const std::exception& error) {
    engine.tell_sinks([&](detail::GradientSink& sink) { sink.failed(error.what()); });
    throw;
  } catch (...) {
    engine.tell_sinks([&](detail::GradientSink& sink) { sink.failed("an exception of no known type"); });
    throw;
  }
  return std::move(engine.captured_);
}

}  // namespace gradus
