#include <gradus/autocast.h>
#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/core/pattern.h>
#include <gradus/nn/checkpoint.h>
#include <gradus/nn/containers.h>
#include <gradus/random.h>

#include <algorithm>

#include "core/tensor_access.h"
#include "nn/module/recomputed.h"

namespace gradus::nn {

namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

// While one lives, the default generator goes on from `from`.
class DrawnAgain {
 public:
  explicit DrawnAgain(const Generator& from) : now_(default_generator()) { default_generator() = from; }
  ~DrawnAgain() { default_generator() = now_; }
  DrawnAgain(const DrawnAgain&) = delete;
  DrawnAgain& operator=(const DrawnAgain&) = delete;

 private:
  Generator now_;
};

using Values = std::vector<std::pair<Tensor, Tensor>>;  // of tensors, what they held

void put(const Values& values) {
  const NoGrad guard;
  for (const auto& [tensor, value] : values) Tensor(tensor).copy_(value);
}

Values values_of(const std::vector<Tensor>& tensors) {
  const NoGrad guard;
  Values values;
  for (const Tensor& x : tensors) values.emplace_back(x.detach(), x.detach().clone());
  return values;
}

// While one lives, buffers hold what they held before.
class HeldBefore {
 public:
  explicit HeldBefore(const Values& before) {
    std::vector<Tensor> tensors;
    for (const auto& [tensor, value] : before) tensors.push_back(tensor);
    now_ = values_of(tensors);
    put(before);
  }
  ~HeldBefore() { put(now_); }
  HeldBefore(const HeldBefore&) = delete;
  HeldBefore& operator=(const HeldBefore&) = delete;

 private:
  Values now_;
};

// While one lives, parameters have no hooks: theirs are called when the whole gradient has arrived.
class WithoutHooks {
 public:
  explicit WithoutHooks(const std::vector<Tensor>& tensors) {
    for (const Tensor& x : tensors) {
      if (!x.impl()->extras || x.impl()->extras->hooks.empty()) continue;
      kept_.emplace_back(x, std::move(x.impl()->extras->hooks));
      x.impl()->extras->hooks.clear();
    }
  }
  ~WithoutHooks() {
    for (auto& [x, hooks] : kept_) x.impl()->extras->hooks = std::move(hooks);
  }
  WithoutHooks(const WithoutHooks&) = delete;
  WithoutHooks& operator=(const WithoutHooks&) = delete;

 private:
  std::vector<std::pair<Tensor, decltype(gradus::detail::TensorExtras::hooks)>> kept_;
};

// Tensors outside of the graph, for a graph of their own.
std::vector<Tensor> apart(std::span<const Tensor> xs) {
  std::vector<Tensor> result;
  for (const Tensor& x : xs) {
    Tensor own = x.defined() ? x.detach() : x;
    if (x.defined() && x.requires_grad()) own.requires_grad_();
    result.push_back(own);
  }
  return result;
}

struct Recomputation final : Op {
  Function fn;
  std::size_t inputs;
  Generator drawn_from = default_generator();
  bool autocast = is_autocast_enabled();
  Dtype autocast_type = get_autocast_dtype();
  Values buffers;

  Recomputation(Function f, std::size_t n, Values b) : fn(std::move(f)), inputs(n), buffers(std::move(b)) {}
  const char* name() const override { return "checkpoint"; }

  // The inputs, and then the parameters. The graph of this run is dropped; it is recorded all the same, so that what
  // runs is what will run again.
  Tensor forward(std::span<const Tensor> xs) {
    for (std::size_t i = 0; i < xs.size(); ++i) save(static_cast<int>(i), xs[i]);
    const EnableGrad recording;
    const Tensor y = fn(apart(xs.subspan(0, inputs))).detach();
    for (const Tensor& x : xs)
      if (x.defined() && x.impl()->storage == y.impl()->storage) return y.clone();
    return y;
  }

  void backward(const Tensor& g, Grads gx) override {
    if (is_grad_enabled()) {
      throw AutogradError("checkpoint: its gradients cannot be differentiated again; run this part without it");
    }
    std::vector<Tensor> given;
    for (std::size_t i = 0; i < gx.size(); ++i)
      given.push_back(has_saved(static_cast<int>(i)) ? saved(static_cast<int>(i)) : Tensor());
    std::vector<Tensor> own = apart({given.data(), inputs});
    std::vector<Tensor> wanted;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (!needs(static_cast<int>(i))) continue;
      wanted.push_back(i < inputs ? own[i] : given[i]);
      places.push_back(i);
    }
    const std::vector<Tensor> parameters(given.begin() + static_cast<std::ptrdiff_t>(inputs), given.end());
    const WithoutHooks quiet(parameters);
    Tensor y;
    {
      const DrawnAgain random(drawn_from);
      const HeldBefore held(buffers);
      const Autocast types(autocast_type, autocast);
      const EnableGrad recording;
      y = fn(own);
    }
    const auto gradients = autograd::grad({y}, wanted, {g}, {.allow_unused = true});
    for (std::size_t i = 0; i < places.size(); ++i) gx[places[i]] = gradients[i];
  }
};

bool requires_any(const std::vector<Tensor>& xs) {
  return std::any_of(xs.begin(), xs.end(), [](const Tensor& x) { return x.defined() && x.requires_grad(); });
}

}  // namespace

Tensor checkpoint(Module& module, Function fn, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> all = inputs;
  for (const Tensor& p : module.parameters())
    if (p.requires_grad()) all.push_back(p);
  if (!is_grad_enabled() || !requires_any(all)) return fn(inputs);
  return apply(Recomputation(std::move(fn), inputs.size(), values_of(module.buffers())), std::span<const Tensor>(all));
}

Tensor checkpoint(Module& module, const Tensor& x) {
  return checkpoint(module, [&module](const std::vector<Tensor>& in) { return module(in[0]); }, {x});
}

Tensor detail::recomputed(Module& module, const Tensor& x) {
  return checkpoint(module, [&module](const std::vector<Tensor>& in) { return module.forward(in[0]); }, {x});
}

bool detail::is_recomputed(const ModuleState& state) {
  return std::any_of(state.hooks.begin(), state.hooks.end(), [](const ForwardHook& hook) {
    return hook.before && hook.before.target<RecomputedMark>() != nullptr;
  });
}

namespace {

bool is_never_called(const Module& module) {
  return dynamic_cast<const ModuleList*>(&module) != nullptr || dynamic_cast<const ModuleDict*>(&module) != nullptr;
}

}  // namespace

std::vector<std::string> recompute(Module& net, const std::string& pattern) {
  std::vector<std::string> names;
  for (const auto& [path, module] : net.named_modules()) {
    if (path.empty() || !matches(pattern, path) || is_never_called(*module)) continue;
    const bool inside = std::any_of(names.begin(), names.end(), [&, &path = path](const std::string& name) {
      return path.starts_with(name + ".");
    });
    if (inside) continue;
    names.push_back(path);
    if (!detail::is_recomputed(*module->state())) module->register_forward_pre_hook(detail::RecomputedMark());
  }
  if (names.empty()) {
    throw ValueError("recompute: no module of " + net.type_name() + " matches '" + pattern + "'");
  }
  return names;
}

void keep_activations(Module& net) {
  for (Module* module : net.modules()) {
    std::erase_if(module->state()->hooks, [](const detail::ForwardHook& hook) {
      return hook.before && hook.before.target<detail::RecomputedMark>() != nullptr;
    });
  }
}

}  // namespace gradus::nn
