// What an audit sees while it watches: gradients as they arrive, optimizers as they step.
#include <gradus/optim/audit.h>

#include <gradus/autograd.h>
#include <gradus/nn/freeze.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>

#include "optim/audit_watch.h"

namespace gradus::optim {

using nn::detail::ModuleState;

namespace {

double norm_of(const Tensor& x) {
  const NoGrad guard;
  return std::sqrt(square(x.detach().to(kFloat64)).sum().item());
}

// Calls fn(state, path) for a module and all that it holds.
template <class Fn>
void visit(const ModuleState& state, const std::string& path, const Fn& fn) {
  fn(state, path);
  for (const auto& child : state.children)
    visit(*child.module->state(), path.empty() ? child.name : path + "." + child.name, fn);
}

}  // namespace

bool owns(const Optimizer& optimizer, const Tensor& parameter) {
  for (std::size_t g = 0; g < optimizer.group_count(); ++g)
    for (const auto& [name, tensor] : optimizer.group_params(g))
      if (tensor.is_same(parameter)) return true;
  return false;
}

std::vector<nn::NamedTensor> Audit::Watch::all_names() const {
  std::vector<nn::NamedTensor> names;
  for (const auto& [model_name, model] : models) {
    visit(*model.state(), model_name, [&](const ModuleState& state, const std::string& path) {
      for (const auto& [name, tensor] : state.parameters)
        if (tensor.defined()) names.emplace_back(path.empty() ? name : path + "." + name, tensor);
    });
  }
  return names;
}

Audit::Watch::Watch(const AuditedModels& audited, const AuditedOptimizers& given, bool live)
    : models(audited), watching(live) {
  names_at_start = all_names();
  refresh();
  compare_statistics();
  drifting.clear();
  for (Optimizer& optimizer : given) known(optimizer);
  if (watching) add_watcher(*this);
}

Audit::Watch::~Watch() {
  if (watching) remove_watcher(*this);
  for (auto& [impl, p] : parameters)
    if (p.hook != 0) p.tensor.remove_hook(p.hook);
}

// Takes in parameters that are new, and listens for the gradients of those that have come to require one.
void Audit::Watch::refresh() {
  for (const auto& [name, tensor] : all_names()) {
    Watched& p = parameters[tensor.impl()];
    if (!p.tensor.defined()) {
      p.tensor = tensor;
      p.name = name;
      order.push_back(tensor.impl());
    }
    if (watching && p.hook == 0 && tensor.requires_grad()) {
      p.hook = p.tensor.register_hook([this, impl = tensor.impl()](const Tensor& grad) {
        const std::lock_guard lock(mutex);
        arrive(parameters.at(impl));
        return grad;
      });
    }
  }
}

// An optimizer counts when it has a parameter of the networks.
Audit::Watch::Id Audit::Watch::known(Optimizer& optimizer) {
  for (Id id = 0; id < optimizers.size(); ++id)
    if (optimizers[id].optimizer == &optimizer) return id;
  for (const Tensor& p : optimizer.parameters()) {
    if (parameters.count(p.impl()) == 0) continue;
    optimizers.push_back({.optimizer = &optimizer, .name = optimizer.name()});
    return optimizers.size() - 1;
  }
  return kNone;
}

// A gradient is about to be added to p's.
void Audit::Watch::arrive(Watched& p) {
  const Tensor grad = p.tensor.grad();
  if (!grad.defined() || (p.arrived && norm_of(grad) == 0)) {
    if (p.left_by != kNone) foreign.insert(p.tensor.impl());  // and was thrown away
    p.left_by = p.used_by = kNone;
    p.added_to_used = false;
  }
  if (p.used_by != kNone) p.added_to_used = true;
  p.arrived = true;
  p.interval = interval;
  ++p.reached;
  for (Known& k : optimizers)
    if (k.optimizer != nullptr && owns(*k.optimizer, p.tensor)) k.reached = interval;
}

void Audit::Watch::before_step(Optimizer& optimizer) {
  const std::lock_guard lock(mutex);
  refresh();
  const Id self = known(optimizer);
  if (self == kNone) return;
  auto& before = optimizers[self].before;
  before.clear();
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    for (const auto& [name, tensor] : optimizer.group_params(g)) {
      const auto it = parameters.find(tensor.impl());
      if (it == parameters.end() || is_frozen(tensor)) continue;
      Watched& p = it->second;
      if (tensor.requires_grad()) ++p.chances;
      const Tensor grad = tensor.grad();
      if (!grad.defined()) continue;
      p.gradient_norm = norm_of(grad);
      before.emplace_back(&p, tensor.detach().clone());
      // The gradient that was used is still there: as it was, or with more added to it. One set by hand is another.
      const bool same = p.used_by != kNone && grad.is_same(p.used) && *p.gradient_norm != 0;
      if (same && (p.added_to_used || grad.version() == p.used_version))
        (p.added_to_used || p.used_by == self ? stale : shared).insert(tensor.impl());
      // Another optimizer stepped on an earlier backward that reached p, and has no part in the one of this step.
      if (p.left_by != kNone && p.interval == interval && optimizers[p.left_by].reached != interval)
        foreign.insert(tensor.impl());
      if (p.lost_state && optimizer.steps_of(tensor) == 0) lost.insert(tensor.impl());
      p.lost_state = false;
    }
  }
}

void Audit::Watch::after_step(Optimizer& optimizer) {
  const std::lock_guard lock(mutex);
  const Id self = known(optimizer);
  if (self == kNone) return;
  Known& k = optimizers[self];
  ++k.steps;
  const auto names = optimizer.option_names();
  const bool rated = std::find(names.begin(), names.end(), "lr") != names.end();
  std::unordered_map<const void*, bool> zero_rate;
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    const bool zero = rated && optimizer.option(g, "lr") == OptionValue(0.0);
    for (const auto& [name, tensor] : optimizer.group_params(g)) zero_rate[tensor.impl()] = zero;
  }
  for (auto& [p, old] : k.before) {
    p->update_norm = norm_of(p->tensor.detach() - old);
    if (!p->tensor.requires_grad() && *p->update_norm != 0) moved.insert(p->tensor.impl());
    p->used_by = self;
    p->used = p->tensor.grad();
    p->used_version = p->used.defined() ? p->used.version() : 0;
    p->added_to_used = false;
    p->left_by = kNone;
    p->has_state = !optimizer.state_tensors(p->tensor).empty();
    (zero_rate[p->tensor.impl()] ? p->zero_rate_steps : p->rated_steps) += 1;
    // Two optimizers that take turns show as A, B, A.
    if (p->turns.empty() || p->turns.back() != self) {
      if (std::find(p->turns.begin(), p->turns.end(), self) != p->turns.end()) shared.insert(p->tensor.impl());
      p->turns.push_back(self);
    }
  }
  k.before.clear();
  // What the same backward left on others' parameters waits for their step.
  for (auto& [impl, p] : parameters) {
    const bool waits = (p.used_by == kNone || p.added_to_used) && p.tensor.grad().defined() && p.interval == interval;
    if (waits && k.reached == interval && !owns(optimizer, p.tensor)) p.left_by = self;
  }
  ++interval;
  compare_statistics();
}

void Audit::Watch::compare_statistics() {
  for (const auto& [model_name, model] : models) {
    visit(*model.state(), model_name, [&](const ModuleState& state, const std::string& path) {
      bool any = false, trained = false;
      for (const auto& [name, tensor] : state.parameters) {
        any = any || tensor.defined();
        trained = trained || (tensor.defined() && tensor.requires_grad());
      }
      for (const auto& buffer : state.buffers) {
        if (!buffer.tensor.defined()) continue;
        const std::uint32_t version = buffer.tensor.version();
        const auto [it, added] = buffer_versions.try_emplace(buffer.tensor.impl(), buffer.tensor, version);
        if (!added && it->second.second != version && any && !trained) drifting.insert(path);
        it->second.second = version;
      }
    });
  }
}

void Audit::Watch::after_schedule(const void* schedule, const std::string& name, Optimizer& optimizer) {
  const std::lock_guard lock(mutex);
  const Id id = known(optimizer);
  if (id == kNone) return;
  Schedule& s = optimizers[id].schedules[schedule];
  s.count = s.at == optimizers[id].steps ? s.count + 1 : 1;
  s.at = optimizers[id].steps;
  s.name = name;
}

void Audit::Watch::gone(const Optimizer& optimizer) {
  const std::lock_guard lock(mutex);
  for (Id id = 0; id < optimizers.size(); ++id) {
    if (optimizers[id].optimizer != &optimizer) continue;
    optimizers[id].optimizer = nullptr;
    for (auto& [impl, p] : parameters)
      p.lost_state = p.lost_state || (p.has_state && !p.turns.empty() && p.turns.back() == id);
  }
}

Audit::Audit(const AuditedModels& models, const AuditedOptimizers& optimizers) {
  if (models.empty()) throw ValueError("Audit: needs at least one network");
  watch_ = std::make_unique<Watch>(models, optimizers, true);
}

Audit::~Audit() = default;

AuditReport Audit::report() const { return watch_->report(); }

AuditReport audit(const AuditedModels& models, const AuditedOptimizers& optimizers) {
  if (models.empty()) throw ValueError("audit: needs at least one network");
  return Audit::Watch(models, optimizers, false).report();
}

}  // namespace gradus::optim
