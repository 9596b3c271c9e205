// The public faces of the engine, and what a tensor knows about its gradient.
#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "autograd/engine.h"
#include "autograd/inplace.h"
#include "autograd/node_access.h"
#include "core/freezing.h"
#include "core/tensor_access.h"

namespace gradus {

namespace detail {
TensorImpl::~TensorImpl() {
  if (extras && extras->retains_grad && grad_fn) NodeAccess::retain(*grad_fn, nullptr);
}
}  // namespace detail

namespace {

std::string described(const Tensor& x) {
  return (x.name().empty() ? "a tensor" : "'" + x.name() + "'") + " of sizes " + to_string(x.sizes());
}

// Why nothing was recorded, as far as it can be known.
std::string cause_of_no_graph() {
  if (is_inference_mode()) return "; an InferenceMode scope is alive here, in which nothing is recorded";
  if (!is_grad_enabled()) return "; a NoGrad scope is alive here, in which nothing is recorded";
  return std::string("; was it computed in a NoGrad scope, detached, or from parameters ") +
         (detail::freezing_used ? "that nn::freeze holds or " : "") + "whose requires_grad is off?";
}

std::vector<Tensor> root_gradients(const char* call, const std::vector<Tensor>& roots, std::vector<Tensor> gradients) {
  if (gradients.empty()) gradients.resize(roots.size());
  if (gradients.size() != roots.size()) {
    throw ValueError(std::string(call) + ": needs one gradient per tensor, got " + std::to_string(gradients.size()) +
                     " for " + std::to_string(roots.size()));
  }
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const Tensor& root = roots[i];
    if (!root.requires_grad()) {
      throw AutogradError(std::string(call) + ": " + described(root) +
                          " does not require a gradient: nothing that requires one led to it" + cause_of_no_graph());
    }
    Tensor& g = gradients[i];
    if (!g.defined()) {
      if (root.numel() != 1) {
        throw AutogradError(std::string(call) + ": a gradient is implied for one element only, got " + described(root) +
                            "; reduce it (sum, mean) or give a gradient");
      }
      g = ones_like(root);
    } else if (!(g.sizes() == root.sizes())) {
      throw ShapeError(std::string(call) + ": a gradient must have its tensor's sizes " + to_string(root.sizes()) +
                       ", got " + to_string(g.sizes()));
    }
    g = g.to(root.dtype());
  }
  return gradients;
}

}  // namespace

namespace autograd {

std::vector<Tensor> grad(const Tensors& outputs, const Tensors& inputs, const Tensors& grad_outputs,
                         const GradOptions& options) {
  if (outputs.empty() || inputs.empty()) throw ValueError("grad: needs at least one output and one input");
  for (const Tensor& input : inputs) {
    if (!input.requires_grad()) throw AutogradError("grad: " + described(input) + " does not require a gradient");
  }
  Engine::Request request{.roots = outputs,
                          .gradients = root_gradients("grad", outputs, grad_outputs),
                          .inputs = inputs,
                          .retain_graph = options.retain_graph.value_or(options.create_graph),
                          .create_graph = options.create_graph,
                          .capture = true};
  std::vector<Tensor> result = Engine::run(request);
  for (std::size_t i = 0; i < result.size(); ++i) {
    // The same tensor asked for twice is captured once.
    for (std::size_t j = 0; j < i && !result[i].defined(); ++j)
      if (inputs[j].is_same(inputs[i])) result[i] = result[j];
    if (!result[i].defined() && !options.allow_unused) {
      throw AutogradError("grad: input " + std::to_string(i) + ", " + described(inputs[i]) +
                          ", was not used to compute the outputs; pass allow_unused to get an undefined gradient");
    }
  }
  return result;
}

void backward(const Tensors& tensors, const Tensors& gradients, const BackwardOptions& options) {
  for (const Tensor& input : options.inputs) {
    if (!input.requires_grad()) throw AutogradError("backward: " + described(input) + " does not require a gradient");
  }
  Engine::run({.roots = tensors,
               .gradients = root_gradients("backward", tensors, gradients),
               .inputs = options.inputs,
               .retain_graph = options.retain_graph.value_or(options.create_graph),
               .create_graph = options.create_graph});
}

}  // namespace autograd

void Tensor::backward(const Tensor& gradient, const BackwardOptions& options) const {
  autograd::backward({*this}, {gradient}, options);
}

bool Tensor::requires_grad() const {
  const auto* impl = checked();
  if (impl->requires_grad || impl->grad_fn) return true;
  return impl->base && impl->base_generation != impl->base->generation && grad_fn();
}

bool Tensor::is_leaf() const { return !grad_fn(); }

Ref<Node> Tensor::grad_fn() const {
  auto* impl = checked();
  return impl->base ? detail::current_grad_fn(*impl) : impl->grad_fn;
}

Tensor& Tensor::requires_grad_(bool requires_grad) const {
  auto* impl = checked();
  if (requires_grad && !gradus::is_floating_point(impl->dtype)) {
    throw DtypeError(std::string("requires_grad_: only floating-point tensors have gradients, got ") +
                     gradus::to_string(impl->dtype));
  }
  if (requires_grad && impl->inference && !is_inference_mode()) {
    throw AutogradError(
        "requires_grad_: a tensor made in an InferenceMode scope cannot require a gradient outside of one; clone it");
  }
  if (!is_leaf()) {
    if (requires_grad) return self();
    throw AutogradError(
        "requires_grad_: only a leaf can stop requiring a gradient, got the result of an operation; "
        "use detach()");
  }
  if (detail::is_frozen(*impl)) {
    impl->extras->wants_grad = requires_grad;
  } else {
    impl->requires_grad = requires_grad;
  }
  return self();
}

const Tensor Tensor::grad() const { return Tensor(checked()->grad); }

void Tensor::set_grad(const Tensor& grad) const {
  auto* impl = checked();
  if (grad.defined()) {
    if (grad.is_same(*this)) throw AutogradError("set_grad: a tensor cannot be its own gradient");
    if (!(grad.sizes() == sizes())) {
      throw ShapeError("set_grad: the gradient must have the tensor's sizes " + gradus::to_string(sizes()) + ", got " +
                       gradus::to_string(grad.sizes()));
    }
    if (grad.device() != device()) {
      throw ValueError("set_grad: the gradient must be on " + gradus::to_string(device()) + ", got one on " +
                       gradus::to_string(grad.device()));
    }
    if (grad.dtype() != dtype()) {
      throw DtypeError(std::string("set_grad: the gradient must be ") + gradus::to_string(dtype()) + ", got " +
                       gradus::to_string(grad.dtype()));
    }
  }
  impl->grad = grad.ref();
}

void Tensor::zero_grad(bool set_to_none) const {
  auto* impl = checked();
  if (!impl->grad) return;
  if (set_to_none) {
    impl->grad.reset();
  } else {
    Tensor g = Tensor(impl->grad).detach();
    g.fill_(0);
    impl->grad = g.ref();
  }
}

void Tensor::retain_grad() const {
  if (!requires_grad()) throw AutogradError("retain_grad: the tensor does not require a gradient");
  const Ref<Node> node = grad_fn();
  if (!node) return;
  detail::extras(*impl_).retains_grad = true;
  NodeAccess::retain(*node, impl_.get());
}

std::size_t Tensor::register_hook(std::function<Tensor(const Tensor&)> hook) const {
  if (!requires_grad()) throw AutogradError("register_hook: the tensor does not require a gradient");
  auto& own = detail::extras(*impl_);
  const std::size_t handle = own.next_hook++;
  if (const Ref<Node> node = grad_fn()) {
    NodeAccess::hooks(*node).emplace_back(handle, std::move(hook));
  } else {
    own.hooks.emplace(handle, std::move(hook));
  }
  return handle;
}

void Tensor::remove_hook(std::size_t handle) const {
  auto& own = detail::extras(*checked());
  std::size_t removed = own.hooks.erase(handle);
  if (const Ref<Node> node = grad_fn()) {
    removed += std::erase_if(NodeAccess::hooks(*node), [&](const auto& entry) { return entry.first == handle; });
  }
  if (removed == 0) throw IndexError("remove_hook: there is no hook " + std::to_string(handle));
}

Tensor Tensor::detach() const {
  checked();
  return detail::make_alias(*this);
}

Tensor& Tensor::detach_() const {
  auto& impl = *checked();
  if (impl.base) throw AutogradError("detach_: a view cannot be detached in place; use detach()");
  if (!impl.grad_fn) return requires_grad_(false);
  impl.grad_fn.reset();
  return self();
}

}  // namespace gradus
